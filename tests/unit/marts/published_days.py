"""A day of the marts: built in one slot beside what the other one publishes, attacked, checked and published."""

from __future__ import annotations

import json
from dataclasses import dataclass

import psycopg
from tests.unit.marts.conftest import MODEL_VERSIONS, Marts

from patient_feedback.orchestration.disclosure import attack_marts
from patient_feedback.orchestration.marts import check_marts, rebuild_marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun

PUBLISHED = """
    update audit.publication set is_current = false;
    insert into audit.publication (marts_slot, run_id, feedback_ledger_id) values ('{slot}', '{day}', 1)
"""


@dataclass(frozen=True)
class Day:
    """A candidate after its attack: its marts, and what the task and the gate said."""

    marts: Marts
    counts: TaskCounts


def run_day(marts: Marts, day: str, failed_before: str | None = None) -> Day:
    """Build what follows from the responses, attack it, have it checked, and publish it."""
    [[started_at]] = marts.rows("select now()::text")
    candidate = {"slot": marts.slot, "variables": json.dumps(MODEL_VERSIONS), "started_at": started_at}
    task_run = TaskRun("build_marts", day, "attack_marts")
    rebuild_marts(marts.settings, candidate, task_run, "int_responses_kept")
    with psycopg.connect(marts.settings.dsn()) as connection:
        connection.execute(
            "insert into audit.check_result (run_id, check_id, tool, gate, checked_subject, outcome, severity, effect) "
            "select %s, check_id, 'dbt', 'marts', %s, 'failed', 'critical', 'stop_publication' "
            "from unnest(%s::text[]) as failed (check_id)",
            (day, marts.slot, [failed_before] if failed_before else []),
        )
    counts = TaskCounts()
    attack_marts(marts.settings, candidate, task_run, counts)
    check_marts(marts.settings, candidate, task_run, TaskCounts())
    with psycopg.connect(marts.settings.dsn()) as connection:
        connection.execute(PUBLISHED.format(slot=marts.slot, day=day))
    return Day(marts, counts)
