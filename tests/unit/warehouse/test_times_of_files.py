"""A warehouse that took a file's time from a clock that was ahead: what comes later is no longer older than it."""

from __future__ import annotations

import runpy
from datetime import UTC, datetime
from pathlib import Path

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.migrate import MIGRATIONS

REVISION: Path = MIGRATIONS / "versions" / "0018_times_of_files.py"
PIECE = "drops_20260301T090000000000Z_0001.jsonl"
DELIVERY = """
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, delivery_state, landed_at
)
values (%(name)s, 'drops', %(name)s, %(name)s, 1, %(modified_at)s, 'file:///x', 'd', 'landed', %(landed_at)s)
"""
TIMES = {"ahead.csv": "2027-04-05", "right.csv": "2026-03-01", PIECE: "2026-03-03"}


def test_time_after_its_landing_is_that_of_its_landing(warehouse: Settings) -> None:
    with connect(warehouse, "test") as connection:
        for name, modified_at in TIMES.items():
            connection.execute(
                DELIVERY, {"name": name, "modified_at": f"{modified_at}Z", "landed_at": "2026-03-02Z"}
            )
        connection.execute(runpy.run_path(str(REVISION))["UPGRADE"])
        rows = connection.execute("select file_name, file_modified_at from landing.delivery").fetchall()
        connection.rollback()
    days = {name: modified_at.astimezone(UTC) for name, modified_at in rows}
    assert days == {
        "ahead.csv": datetime(2026, 3, 2, tzinfo=UTC),
        "right.csv": datetime(2026, 3, 1, tzinfo=UTC),
        PIECE: datetime(2026, 3, 3, tzinfo=UTC),
    }
