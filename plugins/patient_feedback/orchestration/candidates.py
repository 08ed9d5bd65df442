"""Map: the records of a delivery become typed candidates, with what sets each apart from the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec
import psycopg
from psycopg.types.json import set_json_loads

from patient_feedback.orchestration.statements import named_statements
from patient_feedback.privacy.pseudonyms import pseudonymise
from patient_feedback.settings import Settings
from patient_feedback.sources.dates import DateFact, resolve_dates
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredRecord
from patient_feedback.sources.field_mapping import QuestionField
from patient_feedback.sources.mapping import (
    CANDIDATE_ANSWER_COLUMNS,
    CANDIDATE_COMMENT_COLUMNS,
    CANDIDATE_FIGURE_COLUMNS,
    CANDIDATE_RECORD_COLUMNS,
    CANDIDATE_RESPONSE_COLUMNS,
    CANDIDATE_SUBJECT_COLUMNS,
    date_fact,
    map_record,
)
from patient_feedback.warehouse.connection import connect

STATEMENTS = Path(__file__).parent / "candidates.sql"
CHUNK_SIZE = 5_000
"""Records that are in memory at once; of the others only a few numbers about their dates are."""

CANDIDATE_COLUMNS = {
    "record": CANDIDATE_RECORD_COLUMNS,
    "response": CANDIDATE_RESPONSE_COLUMNS,
    "answer": CANDIDATE_ANSWER_COLUMNS,
    "comment": CANDIDATE_COMMENT_COLUMNS,
    "subject": CANDIDATE_SUBJECT_COLUMNS,
    "figure": CANDIDATE_FIGURE_COLUMNS,
}
"""By what follows `candidate_` in the name of the table."""


def map_delivery(settings: Settings, source: Source, delivery_id: str) -> int:
    """Replace the candidates of a delivery; return the number of records mapped."""
    statements = named_statements(STATEMENTS)
    pseudonym = partial(pseudonymise, source_slug=source.slug, key=settings.pseudonym_key())
    count = 0
    with connect(settings, "map_records") as connection:
        lock_delivery(connection, delivery_id)
        for kind in CANDIDATE_COLUMNS:
            connection.execute(f"delete from landing.candidate_{kind} where delivery_id = %s", (delivery_id,))
        date_of = resolve_dates(partial(_date_facts, connection, source, delivery_id), source)
        for records in _records(connection, delivery_id):
            mapped = [map_record(record, source, pseudonym) for record in records]
            candidates: dict[str, Iterable[tuple]] = {
                "record": (row.record_row(delivery_id) for row in mapped),
                # What was published is nobody's response.
                "response": (
                    row.response_row(delivery_id, date_of(row.date_fact))
                    for row in mapped
                    if not source.mapping.figures
                ),
                "answer": chain.from_iterable(row.answer_rows(delivery_id) for row in mapped),
                "comment": chain.from_iterable(row.comment_rows(delivery_id) for row in mapped),
                "subject": chain.from_iterable(row.subject_rows(delivery_id) for row in mapped),
                "figure": chain.from_iterable(row.figure_rows(delivery_id) for row in mapped),
            }
            for kind, columns in CANDIDATE_COLUMNS.items():
                _copy(connection, kind, columns, candidates[kind])
            count += len(mapped)
        # Fresh rows have no statistics, and a plan made without them takes minutes.
        for kind in CANDIDATE_COLUMNS:
            connection.execute(f"analyze landing.candidate_{kind}")
        connection.execute("analyze landing.record")
        parameters: dict[str, object] = {"delivery_id": delivery_id, "source_slug": source.slug}
        for name in ("within_delivery", "within_response", "answers"):
            connection.execute(statements[name], parameters)
        for column in _question_columns(source):
            connection.execute(statements["question_spelling"], {**parameters, "question_column": column})
    return count


def lock_delivery(connection: psycopg.Connection, delivery_id: str) -> None:
    """Wait until no other run works on the delivery; intervals of a backfill may share one. Held by the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"delivery:{delivery_id}",))


def compare_with_accepted(connection: psycopg.Connection, delivery_id: str) -> None:
    """Mark the candidates that were accepted before; call it just before the gate, delivery by delivery."""
    connection.execute(named_statements(STATEMENTS)["against_accepted"], {"delivery_id": delivery_id})


def _date_facts(connection: psycopg.Connection, source: Source, delivery_id: str) -> Iterator[DateFact]:
    for records in _records(connection, delivery_id):
        for record in records:
            yield date_fact(record, source)


def _records(connection: psycopg.Connection, delivery_id: str) -> Iterator[list[DeliveredRecord]]:
    """Stream the delivery's records in order, a chunk at a time."""
    # The payloads of a delivery are most of what is read here.
    set_json_loads(msgspec.json.decode, connection)
    with connection.cursor(name="delivered_records") as cursor:
        cursor.execute(
            """
            select record_number, payload, defects from landing.record
            where delivery_id = %s order by record_number
            """,
            (delivery_id,),
        )
        while rows := cursor.fetchmany(CHUNK_SIZE):
            yield [DeliveredRecord(number, payload, tuple(defects)) for number, payload, defects in rows]


def _copy(connection: psycopg.Connection, kind: str, columns: tuple[str, ...], rows: Iterable[tuple]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy landing.candidate_{kind} ({', '.join(columns)}) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _question_columns(source: Source) -> set[str]:
    questions: Iterator[QuestionField] = (comment.question for comment in source.mapping.comments)
    return {question.column for question in questions if question.column}
