"""A failed gate leaves the published marts as they were."""

from __future__ import annotations

from pathlib import Path

import harbour
import pytest
from run_stages import run_stages

from patient_feedback.errors import GateError
from patient_feedback.orchestration import disclosure, marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Role, Settings
from patient_feedback.warehouse.connection import connect


@pytest.mark.slow
def test_failed_gate_leaves_the_published_marts_and_shows_in_the_trail(
    published, new_warehouse, deliveries: Path
):
    harbour.write_month(deliveries, 5)
    settings = Settings.from_environment(
        new_warehouse(is_copy=True) | {"FEEDBACK_SOURCES": str(deliveries.parent / "sources.yml")}
    )
    run_stages(settings, "unsound", must_publish=False)
    run = TaskRun("build_marts", "unsound", "build_marts")
    candidate = disclosure.attack_marts(
        settings, marts.build_marts(settings, run, TaskCounts()), run, TaskCounts()
    )
    with connect(settings, "test") as connection:
        connection.execute(
            f"delete from {candidate['slot']}.fct_comments where source_record_ref like 'R05%-1'"
        )
    with pytest.raises(GateError, match="FB-MRT-"):
        marts.check_marts(settings, candidate, run, TaskCounts())

    with connect(settings, "test") as connection:
        after = harbour.published_rows(connection)
        refused = connection.execute(
            "select count(*) from audit_trail.fct_check_results where run_id = 'unsound' and outcome = 'failed'"
        ).fetchone()[0]
    patient_experience = {
        table: rows for table, rows in published.rows.items() if table.startswith("patient_experience.")
    }
    assert {table: after[table] for table in patient_experience} == patient_experience
    assert refused, "the auditor must see the failed check although nothing was published"


@pytest.mark.slow
def test_each_role_reads_its_rooms_alone(published):
    import psycopg

    settings = published.settings
    allowed = {
        Role.ANALYST: ["patient_experience.fct_comments"],
        Role.AUDITOR: ["audit_trail.fct_check_results", "patient_experience.rpt_fft_monthly"],
        Role.ENGINEER: [
            "landing.delivery",
            "landing.set_aside",
            "audit.pipeline_run",
            "audit_trail.fct_ledger",
        ],
    }
    forbidden = {
        Role.ANALYST: ["restricted.comment_original", "landing.record", "feedback.comment", "audit.ledger"],
        Role.AUDITOR: ["restricted.comment_original", "landing.record", "feedback.comment"],
        Role.ENGINEER: ["restricted.comment_original", "landing.record", "landing.candidate_comment"],
    }
    for role, tables in allowed.items():
        with connect(settings, "test", role) as connection:
            for table in tables:
                assert connection.execute(f"select count(*) from {table}").fetchone()[0] > 0, (
                    f"{role}: {table}"
                )
    for role, tables in forbidden.items():
        for table in tables:
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                connect(settings, "test", role) as connection,
            ):
                connection.execute(f"select * from {table}")
    with connect(settings, "test", Role.ENGINEER) as connection:
        states = connection.execute("select record_state, count(*) from landing.record group by 1").fetchall()
        assert states, "an engineer sees the states of records"
    for role in (Role.ANALYST, Role.AUDITOR, Role.ENGINEER):
        for statement in (
            "insert into audit.ledger (action, subject, actor, entry_sha256) values ('a','b','c','d')",
            "delete from audit.check_result",
            "create table patient_experience.mine (x int)",
        ):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                connect(settings, "test", role) as connection,
            ):
                connection.execute(statement)
