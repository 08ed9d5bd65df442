"""The benchmark of ingestion measures what it says, and loads on every side the same records."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from benchmarks.ingestion.__main__ import COPY, PARTS, UPSERT, app
from benchmarks.ingestion.deliveries import HEADER, declared, generated_feedback
from benchmarks.ingestion.loads import copy_bare, decide, land, upsert_pages
from typer.testing import CliRunner

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

ROWS = 450


def test_generated_feedback_is_the_same_every_time_and_every_record_is_accepted(
    warehouse: Settings, tmp_path: Path
) -> None:
    path = generated_feedback(tmp_path / "feedback.csv", ROWS)
    assert path.read_bytes() == generated_feedback(tmp_path / "again.csv", ROWS).read_bytes()
    source = declared(tmp_path, "generated", "csv_file", path)
    landed = land(warehouse, source)
    assert decide(warehouse, source, landed, lambda texts: [(text, 0) for text in texts]) == ROWS


def test_peers_load_the_same_records(warehouse: Settings, tmp_path: Path) -> None:
    path = generated_feedback(tmp_path / "feedback.csv", ROWS)
    copy_bare(warehouse, path)
    upsert_pages(warehouse, path, ("response",))
    with path.open(encoding="utf-8", newline="") as file:
        delivered = sorted(tuple(row) for row in csv.reader(file) if tuple(row) != HEADER)
    for table in ("bare", "loaded"):
        with connect(warehouse, "test") as connection:
            assert sorted(connection.execute(f"select * from {table}").fetchall()) == delivered, table


def test_command_measures_every_part_and_writes_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HCAHPS_ZIP", raising=False)
    monkeypatch.setattr(sys, "argv", ["bench"])
    arguments = ["--rows", str(ROWS), "--many-rows", "900", "--repeats", "1", "--results", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    figures = {row["figure"]: row for row in json.loads((tmp_path / "ingestion.json").read_text("utf-8"))}
    assert figures["landing_generated"]["peer_name"] == COPY
    assert figures["end_to_end_generated"]["peer_name"] == UPSERT
    assert all(figures[name]["ratio"] > 0 for name in ("landing_generated", "end_to_end_generated"))
    assert figures["landing_generated"]["n"] == ROWS
    assert figures["memory_mb"]["ours"] >= figures["memory_landing_mb"]["ours"] > 0
    assert {row["part"] for row in figures.values()} == set(PARTS)


def test_unknown_part_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--only", "speed", "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "No such part: speed" in done.output
