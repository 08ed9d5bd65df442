"""Every kind of source in one run of Airflow, one of them down; the next run catches up.

Takes minutes: it runs where FEEDBACK_TEST_ALL_SOURCES is set.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import harbour
import pytest
from emulators.all_sources import FIRST_PORT

from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import load_sources
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.emulation import emulated_sources
from patient_feedback.warehouse.connection import connect

CLI = Path(sys.executable).parent / "patient-feedback"
PORT_COUNT = 8
DOWN = "north_discharge"
"""The source that is away in the first run; its system is emulated_fhir."""


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
        landed = _accepted_counts(settings)
        assert set(landed) == slugs - {DOWN}
        assert all(landed.values())
        begun = _first_starts(settings)
        assert len(begun) == len(slugs), "every source was tried"

    # Emulators that start again hold the same feedback, and Airflow gets the right connections back.
    with emulated_sources(settings, first_port):
        ended, output = _run(stack, declaration)
        assert ended == 0, output[-3000:]
    caught_up = _accepted_counts(settings)
    assert caught_up.pop(DOWN) > 0
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


def _accepted_counts(settings: Settings) -> dict[str, int]:
    with connect(settings, "test") as connection:
        return dict(
            connection.execute(
                "select source_slug, count(*) from feedback.record where not is_withdrawn group by 1"
            ).fetchall()
        )


def _first_starts(settings: Settings) -> dict[str, object]:
    with connect(settings, "test") as connection:
        return dict(
            connection.execute(
                "select dag_id, min(started_at) from audit.pipeline_run where dag_id like 'ingest_feedback__%' "
                "group by 1"
            ).fetchall()
        )


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
