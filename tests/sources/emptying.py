"""One warehouse for many examples: emptied between them, which is faster than a database each."""

from __future__ import annotations

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

FILLED_BY_RUNS = (
    "restricted.comment_original",
    "feedback.comment",
    "feedback.response_subject",
    "feedback.published_figure",
    "feedback.answer",
    "feedback.response",
    "feedback.record",
    "landing.set_aside",
    "landing.candidate_subject",
    "landing.candidate_figure",
    "landing.candidate_comment",
    "landing.candidate_answer",
    "landing.candidate_response",
    "landing.candidate_record",
    "landing.record",
    "landing.seen_file",
    "landing.delivery",
    "landing.extracted_record",
    "landing.source_cursor",
)


def empty_warehouse(settings: Settings) -> None:
    """Delete what runs of a channel wrote; the ledger stays, as it always does."""
    with connect(settings, "test") as connection:
        for table in FILLED_BY_RUNS:
            connection.execute(f"delete from {table}")
