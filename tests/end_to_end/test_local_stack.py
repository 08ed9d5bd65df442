"""The whole local stack, as `make run` starts it: disturbed by a kill, run again, searched for words, stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import harbour
import psutil
import psycopg
import pytest

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.connection import connect

CLI = Path(sys.executable).parent / "patient-feedback"


@pytest.fixture
def stack(new_home: Path):
    """The environment of a stack of its own; whatever the test leaves running is stopped."""
    ports = [harbour.free_port(), harbour.free_port()]
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("FEEDBACK_", "AIRFLOW"))
        },
        "FEEDBACK_HOME": str(new_home),
        "FEEDBACK_UI_PORT": str(ports[0]),
        "FEEDBACK_DB_PORT": str(ports[1]),
        "FEEDBACK_SECRET_PSEUDONYM_KEY": harbour.PSEUDONYM_KEY,
    }
    yield environment
    subprocess.run([CLI, "down"], env=environment, capture_output=True, check=False, timeout=120)


def start(stack: dict[str, str], deliveries: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [CLI, "run", "--sources", str(deliveries.parent / "sources.yml")],
        env=stack,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(stack: dict[str, str], deliveries: Path) -> str:
    process = start(stack, deliveries)
    output, _ = process.communicate(timeout=420)
    assert process.returncode == 0, output[-3000:]
    return output


def wait_for_stage(settings: Settings, stage: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with psycopg.connect(settings.dsn(), autocommit=True, connect_timeout=2) as connection:
                seen = connection.execute(
                    "select exists (select from pg_stat_activity where application_name = %s)",
                    (f"patient_feedback:{stage}",),
                ).fetchone()
            if seen and seen[0]:
                return
        except (psycopg.OperationalError, OSError):
            pass
        except Exception as error:
            if "secret" not in str(error):
                raise
    output = process.communicate()[0] if process.poll() is not None else "still running"
    pytest.fail(f"the run was never seen in {stage}: {output[-2000:]}")


def words_in_airflow(settings: Settings, words: list[str]) -> list[str]:
    """Return which of the words stand in any table of Airflow's own database, XComs among them."""
    dsn = f"postgresql://airflow:{settings.secret('airflow_password')}@{settings.db_host}:{settings.db_port}/airflow"
    found = []
    with psycopg.connect(dsn) as connection:
        tables = [
            name
            for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")
        ]
        assert "xcom" in tables
        for table in tables:
            for word in words:
                hits = connection.execute(
                    f'select count(*) from "{table}" as t where t::text ilike %s', (f"%{word}%",)
                ).fetchone()
                if hits and hits[0]:
                    found.append(f"{table}: {word}")
    return found


@pytest.mark.timeout(1200)  # three runs of the whole stack
@pytest.mark.slow
def test_stack_survives_a_killed_database_and_shows_no_words(stack: dict[str, str], published):
    deliveries = published.deliveries
    settings = Settings.from_environment(stack)

    # A kill -9 of PostgreSQL, in the middle of the embedding.
    disturbed = start(stack, deliveries)
    wait_for_stage(settings, "embed_comments", disturbed)
    postmaster = EmbeddedPostgres(settings.home, settings.db_port).pid
    assert postmaster
    psutil.Process(postmaster).kill()
    output, _ = disturbed.communicate(timeout=300)
    assert disturbed.returncode != 0, "a run without its database cannot have succeeded"
    assert "Traceback" not in output, "a person needs a sentence, not a stack trace"

    # Run again: it goes on, and publishes what an undisturbed run does.
    output = run(stack, deliveries)
    for expected in (
        "What was received",
        "harbour_fft",
        "What was checked",
        "What patients say",
        "http://127.0.0.1",
    ):
        assert expected in output
    with connect(settings, "test") as connection:
        assert harbour.published_rows(connection) == published.rows

    # A second run with nothing new changes no number.
    output = run(stack, deliveries)
    assert "publish_marts" not in output
    with connect(settings, "test") as connection:
        assert harbour.published_rows(connection) == published.rows

    # No words of a patient in any log, XCom or table of Airflow.
    words = [harbour.PLANTED_NAME, harbour.PLANTED_SENTENCE, harbour.GOOD[0], harbour.BAD[0]]
    assert not words_in_airflow(settings, words)
    logs = [path for path in settings.home.rglob("*.log") if path.is_file()]
    assert any("embed_comments" in str(path) for path in logs), "the tasks' logs must be among those searched"
    for path in logs:
        text = path.read_text(encoding="utf-8", errors="replace").lower()
        found = [word for word in words if word.lower() in text]
        assert not found, f"{path} holds feedback"

    # Stopped means stopped.
    subprocess.run([CLI, "down"], env=stack, capture_output=True, check=True, timeout=120)
    left = [
        process.pid
        for process in psutil.process_iter()
        if settings.home.name in " ".join(_command_line(process))
    ]
    assert not left


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
