"""What a rolled back landing leaves behind is found and removed; what a delivery names, or may yet name, never is."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

from patient_feedback.cli import app
from patient_feedback.orchestration.landing_area import LandedFile, land_bytes
from patient_feedback.orchestration.landing_orphans import find_orphans
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.warehouse.connection import connect

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
KEPT, LOST = b"id,words\n1,kind\n", b"id,words\n2,rude\n"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    words = {"column": "words", "question": {"slug": "story", "intent": "open"}}
    declared: dict[str, Any] = {
        "slug": "drop",
        "label": "Drop",
        "kind": "csv_file",
        "owner": "desk@example.org",
        "where": {"path": str(tmp_path)},
        "mapping": {"record_ref": "id", "comments": [words]},
    }
    path = tmp_path / "sources.yml"
    path.write_text(yaml.safe_dump({"sources": [declared]}))
    return load_sources(path)[0]


def land(connection: psycopg.Connection, settings: Settings, source: Source, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    file = LandedFile(sha256, f"{sha256[:6]}.csv", sha256, len(content), MOMENT)
    land_bytes(connection, settings, source, io.BytesIO(content), file)


def roll_back(settings: Settings, source: Source, content: bytes) -> None:
    with connect(settings, "test") as connection:
        land(connection, settings, source, content)
        connection.rollback()


def stored(settings: Settings) -> set[str]:
    folder = Path(settings.landing_url.removeprefix("file://"))
    return {path.name for path in folder.rglob("*") if path.is_file()}


def name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_file_of_a_landing_that_was_rolled_back_is_found_and_removed_with_an_entry(
    warehouse: Settings, source: Source
) -> None:
    with connect(warehouse, "test") as connection:
        land(connection, warehouse, source, KEPT)
    roll_back(warehouse, source, LOST)
    assert [Path(orphan.path).name for orphan in find_orphans(warehouse)] == [name(LOST)]
    assert stored(warehouse) == {name(KEPT), name(LOST)}
    assert len(find_orphans(warehouse, is_removing=True)) == 1
    assert stored(warehouse) == {name(KEPT)}
    with connect(warehouse, "test") as connection:
        entries = connection.execute(
            "select subject from audit.ledger where action = 'landing_orphan_removed'"
        )
        assert entries.fetchall() == [(name(LOST),)]
    assert find_orphans(warehouse) == []


def test_half_written_copy_is_an_orphan_also_beside_the_whole_file(
    warehouse: Settings, source: Source
) -> None:
    with connect(warehouse, "test") as connection:
        land(connection, warehouse, source, KEPT)
    folder = Path(warehouse.landing_url.removeprefix("file://"))
    (folder / name(KEPT)[:2] / f"{name(KEPT)}.part").write_bytes(KEPT[:3])
    find_orphans(warehouse, is_removing=True)
    assert stored(warehouse) == {name(KEPT)}


def test_file_of_a_landing_under_way_is_left_alone(warehouse: Settings, source: Source) -> None:
    roll_back(warehouse, source, LOST)
    with connect(warehouse, "test") as under_way:
        # The orphan of an earlier run is taken as it lies there.
        land(under_way, warehouse, source, LOST)
        assert find_orphans(warehouse, is_removing=True) == []
    assert find_orphans(warehouse, is_removing=True) == []
    assert stored(warehouse) == {name(LOST)}


def test_file_that_the_landing_area_did_not_name_is_left_alone(warehouse: Settings) -> None:
    folder = Path(warehouse.landing_url.removeprefix("file://")) / "ab"
    folder.mkdir(parents=True)
    for strange in ("README.txt", "cd" + "0" * 62, "ab" + "0" * 61):
        (folder / strange).write_text("somebody else's")
    assert find_orphans(warehouse, is_removing=True) == []
    assert len(stored(warehouse)) == 3


def test_landing_area_that_is_not_there_yet_has_no_orphans(warehouse: Settings) -> None:
    assert find_orphans(warehouse) == []


def test_command_lists_and_removes_only_when_told(
    warehouse: Settings, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_back(warehouse, source, LOST)
    monkeypatch.setattr(Settings, "from_environment", classmethod(lambda _: warehouse))
    said = CliRunner().invoke(app, ["landing-orphans"]).output
    assert name(LOST) in said.replace("\n", "")
    assert "--remove" in said
    assert stored(warehouse) == {name(LOST)}
    assert CliRunner().invoke(app, ["landing-orphans", "--remove"]).exit_code == 0
    assert stored(warehouse) == set()
