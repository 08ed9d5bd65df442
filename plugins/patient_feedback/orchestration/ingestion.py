"""The tasks of an ingest DAG: land, map, check and accept, announce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from patient_feedback.orchestration.acceptance import Redact, accept_delivery
from patient_feedback.orchestration.analysis import versions_in_force
from patient_feedback.orchestration.candidates import compare_with_accepted, lock_delivery, map_delivery
from patient_feedback.orchestration.landing import land_source
from patient_feedback.orchestration.pending import has_deliveries_under_way, has_unpublished_feedback
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.privacy.redaction import REDACTION_VERSION, Redactor
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.warehouse.connection import connect

if TYPE_CHECKING:
    from patient_feedback.checks.outcomes import CheckOutcome


def land_deliveries(settings: Settings, source: Source, task_run: TaskRun, counts: TaskCounts) -> list[str]:
    """Land new files; return the ids of the deliveries that wait for the gate."""
    landed = land_source(settings, source, task_run.run_id, task_run.window)
    counts.row_count = landed.record_count
    counts.counts.update(file_count=landed.file_count, new_file_count=landed.new_file_count)
    return landed.delivery_ids


def map_records(settings: Settings, source: Source, delivery_ids: list[str], counts: TaskCounts) -> list[str]:
    """Turn the records of each delivery into typed candidates."""
    counts.row_count = sum(map_delivery(settings, source, delivery_id) for delivery_id in delivery_ids)
    return delivery_ids


def check_and_accept(
    settings: Settings, source: Source, delivery_ids: list[str], task_run: TaskRun, counts: TaskCounts
) -> None:
    """Run the landing gate on each delivery, carry out its effects, accept the rest; every record ends in one state.

    One delivery after the other, oldest first: what the first one brought is known when the next is checked.
    """
    totals = {"accepted_count": 0, "set_aside_count": 0, "duplicate_count": 0, "withdrawn_count": 0}
    check_count = failed_check_count = 0
    redact = _redaction(settings, source)
    for delivery_id in delivery_ids:
        with connect(settings, "check_and_accept") as alone:
            lock_delivery(alone, delivery_id)
            outcomes = check_delivery(settings, source, delivery_id, task_run.run_id)
            accepted = accept_delivery(
                settings, source, delivery_id, task_run.run_id, redact, REDACTION_VERSION
            )
        check_count += len(outcomes)
        failed_check_count += sum(outcome.outcome != "passed" for outcome in outcomes)
        for name in totals:
            totals[name] += getattr(accepted, name)
    counts.row_count = sum(totals.values())
    counts.counts.update(totals, check_count=check_count, failed_check_count=failed_check_count)


def check_delivery(settings: Settings, source: Source, delivery_id: str, run_id: str) -> list[CheckOutcome]:
    """Run the landing gate on a mapped delivery and carry out its effects; return what each check found."""
    from patient_feedback.checks.effects import apply_landing_effects
    from patient_feedback.checks.runner import GateSubject, run_gate

    with connect(settings, "check_landing") as connection:
        compare_with_accepted(connection, delivery_id)
    outcomes = run_gate(
        settings,
        "landing",
        GateSubject(name=delivery_id, parameters={"source_slug": source.slug}),
        run_id,
    )
    with connect(settings, "check_landing") as connection:
        apply_landing_effects(connection, delivery_id, outcomes, run_id)
    return outcomes


def _redaction(settings: Settings, source: Source) -> Redact:
    """Return what redacts texts by each text's own language; nothing is loaded before the first text."""

    redactor = Redactor(processes=settings.worker_threads)

    def redact(texts: Sequence[str]) -> list[tuple[str, int]]:
        from patient_feedback.language.detection import detect_languages

        # By each text's own language: the model of names knows English, and a Swedish source has English comments.
        languages = [found.language_code for found in detect_languages(texts, [source.language] * len(texts))]
        redacted: dict[str, tuple[str, int]] = {}
        for language in sorted({code or "und" for code in languages}):
            own = [text for text, code in zip(texts, languages, strict=True) if (code or "und") == language]
            for text, result in zip(own, redactor.redact(own, language), strict=True):
                redacted[text] = (result.text, sum(result.entity_counts.values()))
        return [redacted[text] for text in texts]

    return redact


def announce_feedback(settings: Settings, counts: TaskCounts) -> None:
    """Say whether anything waits to be analysed or published; a run with nothing new is skipped here.

    Skipped too while another source's delivery is under way: its run announces what both brought.
    """
    counts.is_skipped = has_deliveries_under_way(settings) or not has_unpublished_feedback(
        settings, versions_in_force(settings)
    )
