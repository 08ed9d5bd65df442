"""Accept: what the landing gate let through becomes feedback; every record ends in one state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from patient_feedback.orchestration.statements import named_statements
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

STATEMENTS = Path(__file__).parent / "acceptance.sql"
REDACTION_CHUNK = 20_000
CARRYING = (
    "unsaid_comments",
    "unsaid_answers",
    "unsaid_subjects",
    "unsaid_figures",
    "responses",
    "answers",
    "comments",
    "subjects",
    "figures",
    "originals",
    "blanked_originals",
    "records",
    "orphaned_responses",
    "withdrawals",
    "withdrawn_subjects",
    "landed_words_of_withdrawn",
    "candidate_words_of_withdrawn",
)

Redact = Callable[[Sequence[str]], list[tuple[str, int]]]
"""Texts in, (redacted text, number of identifiers) out, in the same order."""


@dataclass(frozen=True, slots=True)
class AcceptedDelivery:
    accepted_count: int
    set_aside_count: int
    duplicate_count: int
    withdrawn_count: int
    has_changed: bool
    """False where the delivery had been decided before, with the same result."""


def accept_delivery(
    settings: Settings, source: Source, delivery_id: str, run_id: str, redact: Redact, redaction_version: str
) -> AcceptedDelivery:
    """Carry the records of a delivery to their final states and their content to `feedback`.

    One transaction: a killed run leaves the delivery as it was. Running it again changes nothing.
    """
    statements = named_statements(STATEMENTS)
    parameters = {
        "delivery_id": delivery_id,
        "source_slug": source.slug,
        "language_code": source.language,
        "has_figures": bool(source.mapping.figures),
        "redaction_version": redaction_version,
        "kept_columns": sorted(source.mapping.columns_without_words),
    }
    with connect(settings, "accept_feedback") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"accept:{source.slug}",))
        connection.execute(statements["decide"], parameters)
        connection.execute("create index on decided (source_record_ref)")
        connection.execute("analyze decided")
        # Before the comments are compared with what is kept: a forgotten one is read anew.
        changed = max(connection.execute(statements["forget"], parameters).rowcount, 0)
        connection.execute(statements["carried_comment"], parameters)
        connection.execute("analyze carried_comment")
        _redact_new_texts(connection, redact)
        for name in CARRYING:
            changed += max(connection.execute(statements[name], parameters).rowcount, 0)
        changed += connection.execute(statements["states"], parameters).rowcount
        changed += connection.execute(statements["close_delivery"], parameters).rowcount
        connection.execute(statements["note_decisions"], parameters)
        row = connection.execute(statements["counts"], parameters).fetchone()
        assert row is not None
        accepted_count, set_aside_count, duplicate_count, withdrawn_count = row
        accepted = AcceptedDelivery(
            accepted_count, set_aside_count, duplicate_count, withdrawn_count, has_changed=changed > 0
        )
        if accepted.has_changed:
            add_ledger_entry(
                connection,
                "delivery_decided",
                delivery_id,
                run_id,
                accepted.accepted_count,
                {
                    "accepted_count": accepted.accepted_count,
                    "set_aside_count": accepted.set_aside_count,
                    "duplicate_count": accepted.duplicate_count,
                    "withdrawn_count": accepted.withdrawn_count,
                },
            )
    return accepted


def text_sha256(text: str) -> str:
    """Return the key under which a redacted text is analysed."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _redact_new_texts(connection: psycopg.Connection, redact: Redact) -> None:
    """Redact each distinct original text once, into the temporary table `redacted`."""
    connection.execute(
        """
        create temporary table redacted (
            original_text text, comment_text text, redaction_count integer, text_sha256 text
        ) on commit drop
        """
    )
    with connection.cursor(name="original_texts") as originals:
        originals.execute("select distinct original_text from carried_comment where not is_redacted")
        while rows := originals.fetchmany(REDACTION_CHUNK):
            texts = [text for (text,) in rows]
            with connection.cursor() as cursor, cursor.copy("copy redacted from stdin") as copy:
                for original, (comment_text, redaction_count) in zip(texts, redact(texts), strict=True):
                    copy.write_row((original, comment_text, redaction_count, text_sha256(comment_text)))
    connection.execute("analyze redacted")
