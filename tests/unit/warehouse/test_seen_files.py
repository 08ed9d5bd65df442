"""A warehouse from before file names were remembered: what each one held last is taken from its deliveries."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.migrate import MIGRATIONS

REVISION: Path = MIGRATIONS / "versions" / "0017_files_put_back.py"
PIECE = "drops_20260301T090000000000Z_0001.jsonl"
DELIVERY = """
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, delivery_state, landed_at
)
values (%(sha256)s, 'drops', %(name)s, %(sha256)s, 1, now(), 'file:///x', 'd', 'landed', %(landed_at)s)
"""


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[psycopg.Connection]:
    with connect(warehouse, "test") as opened:
        yield opened
        opened.rollback()


def test_each_name_has_its_newest_content_and_is_read_again(connection: psycopg.Connection) -> None:
    revision = runpy.run_path(str(REVISION))
    connection.execute(revision["DOWNGRADE"])
    with connection.cursor() as cursor:
        cursor.executemany(
            DELIVERY,
            [
                {"name": "week.csv", "sha256": "kind", "landed_at": "2026-03-01"},
                {"name": "week.csv", "sha256": "rude", "landed_at": "2026-03-08"},
                {"name": "other.csv", "sha256": "long", "landed_at": "2026-03-02"},
                {"name": PIECE, "sha256": "piece", "landed_at": "2026-03-01"},
            ],
        )
    connection.execute(revision["UPGRADE"])
    rows = connection.execute(
        "select file_name, file_sha256, file_version, delivery_id from landing.seen_file"
    )
    assert sorted(rows) == [("other.csv", "long", "", "long"), ("week.csv", "rude", "", "rude")]
