"""No landed record is without its delivery, however the two are written or taken away."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

RECORD = "insert into landing.record (delivery_id, record_number, payload) values (%s, %s, '{}')"


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[psycopg.Connection]:
    """A connection to a warehouse with two deliveries, of which the first has a record."""
    with connect(warehouse, "test") as opened:
        opened.execute(
            """
            insert into landing.delivery (
                delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
                declaration_sha256, delivery_state
            )
            select name, 'drops', name, name, 1, now(), 'file:///' || name, 'd', 'landed'
            from unnest(array['with', 'without']) as name
            """
        )
        opened.execute(RECORD, ("with", 1))
        opened.commit()
        yield opened
        opened.rollback()


def test_record_of_a_delivery_that_is_not_there_is_refused(connection: psycopg.Connection) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(RECORD, [("with", 2), ("without", 1)])
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="write the delivery first"):
        with connection.cursor().copy(
            "copy landing.record (delivery_id, record_number, payload) from stdin"
        ) as copy:
            copy.write("with\t3\t{}\nunheard\t1\t{}\n")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from landing.delivery where delivery_id = 'with'",
        "update landing.delivery set delivery_id = 'other' where delivery_id = 'with'",
        "update landing.record set delivery_id = 'unheard'",
        "truncate landing.delivery cascade",
    ],
)
def test_nothing_parts_a_record_from_its_delivery(connection: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from landing.delivery where delivery_id = 'without'",
        "update landing.delivery set last_seen_at = now() where delivery_id = 'with'",
        "truncate landing.record, landing.delivery cascade",
    ],
)
def test_what_leaves_records_their_delivery_is_done(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement)


def test_delivery_waits_for_the_records_that_another_transaction_brings(
    connection: psycopg.Connection, warehouse: Settings
) -> None:
    connection.execute(RECORD, ("without", 1))
    with connect(warehouse, "other") as other:
        other.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("delete from landing.delivery where delivery_id = 'without'")
        other.rollback()
        connection.commit()
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            other.execute("delete from landing.delivery where delivery_id = 'without'")
        other.rollback()


def test_delivery_is_not_taken_away_by_a_transaction_that_may_not_see_its_records(
    connection: psycopg.Connection, warehouse: Settings
) -> None:
    with connect(warehouse, "other") as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("select count(*) from landing.record")
        connection.execute(RECORD, ("without", 1))
        connection.commit()
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="read committed"):
            other.execute("delete from landing.delivery where delivery_id = 'without'")
        other.rollback()
