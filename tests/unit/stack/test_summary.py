"""The figures at the end of a run, counted by the real database."""

from __future__ import annotations

import psycopg

from patient_feedback.settings import Settings
from patient_feedback.stack.summary import FailedCheck, GateAccount, SourceAccount, read_summary
from patient_feedback.warehouse.connection import connect


def _add_delivery(
    connection: psycopg.Connection, delivery_id: str, source_slug: str, states: list[str]
) -> None:
    connection.execute(
        """
        insert into landing.delivery (
            delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
            declaration_sha256, received_count, delivery_state
        )
        values (%s, %s, 'a.csv', %s, 1, now(), 'file:///a', 'd', %s, 'accepted')
        """,
        (delivery_id, source_slug, delivery_id, len(states)),
    )
    for number, state in enumerate(states, 1):
        connection.execute(
            """
            insert into landing.record (delivery_id, record_number, payload, record_state)
            values (%s, %s, '{}', %s)
            """,
            (delivery_id, number, state),
        )


def _add_result(
    connection: psycopg.Connection, gate: str, subject: str, outcome: str, unexpected: int
) -> None:
    connection.execute(
        """
        insert into audit.check_result (
            run_id, check_id, tool, gate, checked_subject, outcome, severity, effect, unexpected_count
        )
        values ('r', 'FB-001', 'great_expectations', %s, %s, %s, 'warning', 'report', %s)
        """,
        (gate, subject, outcome, unexpected),
    )


def test_every_record_is_counted_once_per_source(warehouse: Settings) -> None:
    with connect(warehouse, "test") as connection:
        _add_delivery(connection, "d1", "letters", ["accepted", "accepted", "set_aside"])
        _add_delivery(connection, "d2", "letters", ["duplicate", "withdrawn"])
        _add_delivery(connection, "d3", "other", ["accepted"])
        summary = read_summary(connection, ["silent", "letters"])
    assert summary.sources == (
        SourceAccount("silent", 0, 0, 0, 0, 0, 0, 0),
        SourceAccount("letters", 2, 0, 5, 2, 1, 1, 1),
    )
    assert all(account.is_balanced for account in summary.sources)
    assert not summary.is_published


def test_record_without_an_end_shows_as_not_adding_up(warehouse: Settings) -> None:
    with connect(warehouse, "test") as connection:
        _add_delivery(connection, "d1", "letters", ["accepted", "pending"])
        summary = read_summary(connection, ["letters"])
    assert not summary.sources[0].is_balanced


def test_newest_result_of_a_check_counts_for_each_delivery(warehouse: Settings) -> None:
    with connect(warehouse, "test") as connection:
        _add_delivery(connection, "d1", "letters", [])
        _add_delivery(connection, "d2", "letters", [])
        _add_delivery(connection, "d3", "other", [])
        _add_result(connection, "landing", "d1", "failed", 9)
        _add_result(connection, "landing", "d1", "passed", 0)
        _add_result(connection, "landing", "d2", "failed", 4)
        _add_result(connection, "landing", "d3", "failed", 100)
        summary = read_summary(connection, ["letters"])
    assert summary.gates == (GateAccount("landing", 1, 1, 0),)
    assert summary.failed_checks == (FailedCheck("FB-001", "FB-001", "warning", "report", "failed", 4),)


def test_newest_result_of_a_check_counts_whatever_slot_the_marts_were_in(warehouse: Settings) -> None:
    with connect(warehouse, "test") as connection:
        _add_result(connection, "marts", "marts_blue", "failed", 1)
        _add_result(connection, "marts", "marts_green", "passed", 0)
        summary = read_summary(connection, [])
    assert summary.gates == (GateAccount("marts", 1, 0, 0),)
    assert summary.failed_checks == ()
