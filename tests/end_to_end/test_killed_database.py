"""PostgreSQL is killed in the middle of every stage: the run after the last kill publishes the same rows."""

from __future__ import annotations

from pathlib import Path

import harbour
import psutil
import psycopg
import pytest
from test_repeated_runs import STAGES, finish, rows_of, start_run

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.migrate import migrate


@pytest.fixture
def own_server(new_home: Path):
    server = EmbeddedPostgres(new_home, harbour.free_port(), environ={})
    server.start()
    yield server
    server.stop()


def kill_server_in_stage(server: EmbeddedPostgres, settings: Settings, run, stage: str) -> bool:
    """Kill the server as soon as the run works on `stage`; False where the run ended before it was seen there."""
    postmaster = server.pid
    assert postmaster
    with psycopg.connect(settings.dsn(), autocommit=True) as watcher:
        while run.poll() is None:
            seen = watcher.execute(
                "select exists (select from pg_stat_activity where application_name = %s and state <> 'idle')",
                (f"patient_feedback:{stage}",),
            ).fetchone()
            if seen and seen[0]:
                psutil.Process(postmaster).kill()
                return True
    return False


@pytest.mark.timeout(1800)  # a run for each stage, every one in a process of its own
@pytest.mark.slow
def test_database_killed_in_every_stage_publishes_the_same_rows(
    own_server: EmbeddedPostgres, published, tmp_path: Path
):
    disturbed = harbour.variables_for(own_server, "feedback", published.deliveries, tmp_path)
    settings = Settings.from_environment(disturbed)
    migrate(settings)
    missed = []
    for stage in STAGES:
        run = start_run(disturbed, f"database-killed-in-{stage}")
        if not kill_server_in_stage(own_server, settings, run, stage):
            missed.append(stage)
        _, errors = run.communicate(timeout=120)
        assert harbour.PLANTED_NAME not in errors
        own_server.start()
    assert not missed, "these stages were not seen at work, so nothing was proved about them"
    finish(start_run(disturbed, "after-the-kills"))
    assert rows_of(disturbed) == published.rows
