"""Callbacks that Airflow runs when a run misses its deadline."""

from __future__ import annotations

import asyncio
from typing import Any

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry


async def report_missed_deadline(context: dict[str, Any] | None = None, **_: object) -> None:
    """Write the missed deadline to the ledger, where monitoring and the auditor find it."""
    dag_run = (context or {}).get("dag_run") or {}
    await asyncio.to_thread(
        _record, str(dag_run.get("dag_id", "unknown")), str(dag_run.get("dag_run_id", "unknown"))
    )


def _record(dag_id: str, run_id: str) -> None:
    with connect(Settings.from_environment(), "report_missed_deadline") as connection:
        add_ledger_entry(connection, "deadline_missed", dag_id, run_id)
