"""Running again, running a past window again, and running after a kill give the same published rows."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import harbour
import psycopg
import pytest
from run_stages import run_stages
from stage_process import StageProcess

from patient_feedback.orchestration import marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

STAGES = (
    "land_deliveries",
    "map_records",
    "check_landing",
    "accept_feedback",
    "detect_languages",
    "embed_comments",
    "score_comments",
    "read_serious_comments",
    "fit_themes",
    "assign_themes",
    "check_analysis",
    "build_marts",
    "attack_marts",
    "check_marts",
    "publish_marts",
)


def start_run(environment: dict[str, str], *arguments: str) -> StageProcess:
    return StageProcess(environment, *arguments)


def finish(process: StageProcess) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return output.strip().splitlines()[-1]


def kill_in_stage(process: StageProcess, database: psycopg.Connection, stage: str) -> bool:
    """Kill the process as soon as it works on `stage`; False where it ended before it was seen there."""
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        seen = database.execute(
            "select count(*) from pg_stat_activity where application_name = %s and datname = current_database() "
            "and state <> 'idle'",
            (f"patient_feedback:{stage}",),
        ).fetchone()[0]
        if seen:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
    process.communicate()
    return False


def rows_of(environment: dict[str, str]) -> dict[str, list[str]]:
    with connect(Settings.from_environment(environment), "test") as connection:
        return harbour.published_rows(connection)


@pytest.mark.timeout(1800)  # a run for each stage, every one in a process of its own
@pytest.mark.slow
def test_run_killed_in_every_stage_publishes_the_same_rows(published, new_warehouse):
    disturbed = new_warehouse()
    missed = []
    settings = Settings.from_environment(disturbed)
    with psycopg.connect(settings.dsn(), autocommit=True) as watcher:
        for stage in STAGES:
            if not kill_in_stage(start_run(disturbed, f"killed-in-{stage}"), watcher, stage):
                missed.append(stage)
    assert not missed, "these stages were not seen at work, so nothing was proved about them"
    finish(start_run(disturbed, "after-the-kills"))
    assert rows_of(disturbed) == published.rows


@pytest.mark.slow
def test_second_run_and_backfill_change_no_row(published, new_warehouse):
    environment = new_warehouse(is_copy=True)
    assert finish(start_run(environment, "second")) == "nothing new"
    assert rows_of(environment) == published.rows

    window = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    settings = Settings.from_environment(environment)
    run_stages(settings, "backfill-of-march", window)
    assert rows_of(environment) == published.rows
    with connect(settings, "test") as connection:
        checked_again = connection.execute(
            "select count(distinct checked_subject) from audit.check_result "
            "where run_id = 'backfill-of-march' and gate = 'landing'"
        ).fetchone()[0]
    assert checked_again == 1, "the backfill of March must read again the one delivery of March"

    with connect(settings, "test") as connection:  # the turn of the slot that holds these rows comes again
        connection.execute("update audit.publication set marts_slot = 'marts_green'")
    counts, run = TaskCounts(), TaskRun("build_marts", "gone-on", "build_marts")
    marts.publish_marts(settings, marts.build_marts(settings, run, counts), run, TaskCounts())
    assert counts.counts["is_incremental"] == 1
    assert rows_of(environment) == published.rows


@pytest.mark.slow
def test_two_runs_at_once_on_one_delivery_account_for_every_record_once(published, new_warehouse):
    environment = new_warehouse(is_copy=True)
    settings = Settings.from_environment(environment)
    with connect(settings, "test") as connection:  # decided anew by both, as two intervals of a backfill do
        connection.execute("update landing.delivery set delivery_state = 'landed', decided_at = null")
    # Airflow's pools keep the later stages apart.
    runs = [start_run(environment, f"at-once-{number}", "without-marts") for number in (1, 2)]
    for run in runs:
        finish(run)
    finish(start_run(environment, "after"))
    assert rows_of(environment) == published.rows
