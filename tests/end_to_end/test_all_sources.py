"""Every kind of source in one run of Airflow, one of them down; the next run catches up.

Takes minutes: it runs where FEEDBACK_TEST_ALL_SOURCES is set.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import harbour
import pytest
from emulators.all_sources import FIRST_PORT, told

from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import load_sources
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.emulation import PORT_COUNT, emulated_sources
from patient_feedback.warehouse.connection import connect

Span = tuple[datetime, datetime]
CLI = Path(sys.executable).parent / "patient-feedback"
DOWN = "north_discharge"
"""The source that is away in the first run; its system is emulated_fhir."""


def differences(
    found: Mapping[str, set[str]], truth: Mapping[str, Collection[str]]
) -> dict[str, tuple[set[str], set[str]]]:
    """Return by source which records are missing from the warehouse, and which its system never held."""
    compared = {
        slug: (set(told_of) - found[slug], found[slug] - set(told_of)) for slug, told_of in truth.items()
    }
    return {slug: both for slug, both in compared.items() if any(both)}


def most_at_once(spans: Sequence[Span]) -> int:
    """Return how many of the spans share a moment; where one ends as another begins, they do not."""
    changes = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
    return max(accumulate(change for _, change in changes))


def test_spans_that_follow_each_other_are_not_taken_for_parallel_ones() -> None:
    nine, ten, eleven, noon = (datetime(2026, 1, 5, hour, tzinfo=UTC) for hour in (9, 10, 11, 12))
    assert most_at_once([(nine, ten), (ten, eleven), (eleven, noon)]) == 1
    assert most_at_once([(nine, eleven), (ten, noon)]) == 2
    assert most_at_once([(nine, noon), (ten, eleven), (ten, eleven), (eleven, noon)]) == 3


def test_record_that_is_lost_or_made_up_is_named_with_its_source() -> None:
    truth = {"opinions": {"1": "kind", "2": "noisy"}, "panel": {"R_1": "kind"}}
    assert differences({"opinions": {"1", "2"}, "panel": {"R_1"}, "files": {"7"}}, truth) == {}
    assert differences({"opinions": {"1", "3"}, "panel": {"R_1"}}, truth) == {"opinions": ({"2"}, {"3"})}


@pytest.fixture
def stack(new_home: Path) -> Iterator[dict[str, str]]:
    """The environment of a running stack of its own."""
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("FEEDBACK_", "AIRFLOW"))
        },
        "FEEDBACK_HOME": str(new_home),
        "FEEDBACK_UI_PORT": str(harbour.free_port()),
        "FEEDBACK_DB_PORT": str(harbour.free_port()),
    }
    subprocess.run([CLI, "up"], env=environment, capture_output=True, check=True, timeout=300)
    yield environment
    subprocess.run([CLI, "down"], env=environment, capture_output=True, check=False, timeout=120)


@pytest.mark.slow
@pytest.mark.timeout(2_400)
@pytest.mark.skipif(
    "FEEDBACK_TEST_ALL_SOURCES" not in os.environ, reason="FEEDBACK_TEST_ALL_SOURCES is not set"
)
def test_all_sources_run_together_and_the_one_that_is_down_catches_up(
    stack: dict[str, str], project_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment(stack)
    first_port = _first_of_free_ports(PORT_COUNT)
    declaration = tmp_path / "sources.yml"
    example = (project_dir / "examples" / "all_sources" / "sources.yml").read_text(encoding="utf-8")
    example = example.replace("../../", f"{project_dir}/")
    # The SFTP server's port stands in the declaration.
    declaration.write_text(example.replace(f":{FIRST_PORT + 6}", f":{first_port + 6}"), encoding="utf-8")
    slugs = {source.slug for source in load_sources(declaration)}

    with emulated_sources(settings, first_port):
        away = {
            "emulated_fhir": {"conn_type": "http", "host": f"http://127.0.0.1:{harbour.free_port()}/fhir"}
        }
        _import_connections(settings, {name: {**one, "password": "key"} for name, one in away.items()})
        ended, output = _run(stack, declaration)
        assert ended == 1, output[-3000:]
        assert f"The source '{DOWN}'" in output and "does not answer" in output and "next run" in output
        landed = _standing_records(settings)
        assert set(landed) == slugs - {DOWN}
        truth = told()
        assert differences(landed, {slug: words for slug, words in truth.items() if slug != DOWN}) == {}
        assert _undated(settings, truth) == []
        spans = _ingest_spans(settings)
        assert len(spans) == len(slugs), "every source was tried"
        assert most_at_once(spans) > 1, "one source waited for another"

    # Emulators that start again hold the same feedback, and Airflow gets the right connections back.
    with emulated_sources(settings, first_port):
        ended, output = _run(stack, declaration)
        assert ended == 0, output[-3000:]
    caught_up = _standing_records(settings)
    assert differences(caught_up, truth) == {}
    del caught_up[DOWN]
    assert caught_up == landed
    with connect(settings, "test") as connection:
        assert (
            connection.execute(
                "select source_slug from audit_trail.fct_source_deliveries where not is_balanced"
            ).fetchall()
            == []
        )
        published = connection.execute(
            "select count(*) from patient_experience.fct_responses where source_slug = %s", (DOWN,)
        ).fetchone()
        figures = connection.execute(
            "select count(*) from patient_experience.fct_published_figures"
        ).fetchone()
    assert published and published[0] > 0
    assert figures and figures[0] > 0


def _run(stack: dict[str, str], declaration: Path) -> tuple[int, str]:
    done = subprocess.run(
        [CLI, "run", "--sources", str(declaration)],
        env={**stack, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    return done.returncode, done.stdout + done.stderr


def _standing_records(settings: Settings) -> dict[str, set[str]]:
    with connect(settings, "test") as connection:
        rows = connection.execute(
            "select source_slug, array_agg(source_record_ref) from feedback.record where not is_withdrawn group by 1"
        ).fetchall()
    return {slug: set(references) for slug, references in rows}


def _undated(settings: Settings, slugs: Iterable[str]) -> list[str]:
    """Return the sources of which the system told a day for each record, and a response has none."""
    with connect(settings, "test") as connection:
        rows = connection.execute(
            "select distinct source_slug from feedback.response where submitted_on is null and source_slug = any(%s)",
            (list(slugs),),
        ).fetchall()
    return [slug for (slug,) in rows]


def _ingest_spans(settings: Settings) -> list[Span]:
    """Return from when to when each source's tasks ran."""
    with connect(settings, "test") as connection:
        return connection.execute(
            "select min(started_at), max(finished_at) from audit.pipeline_run "
            "where dag_id like 'ingest_feedback__%' group by dag_id"
        ).fetchall()


def _import_connections(settings: Settings, connections: dict[str, dict[str, str]]) -> None:
    local, path = LocalAirflow(settings), settings.home / "away.json"
    path.write_text(json.dumps(connections), encoding="utf-8")
    subprocess.run(
        local.command("connections", "import", "--overwrite", str(path)),
        env=local.client_environment(),
        capture_output=True,
        check=True,
        timeout=120,
    )


def _first_of_free_ports(count: int) -> int:
    for first in range(21_000, 60_000, count):
        probes = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first
    raise AssertionError("no free ports")
