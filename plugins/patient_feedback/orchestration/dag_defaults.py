"""What every DAG shares: owner, retries by kind of error, pools, time limits, deadline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import (
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_current_context,
)

from patient_feedback.errors import FeedbackError, PlaceUnavailableError, WarehouseUnavailableError
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun, recorded
from patient_feedback.settings import Settings

START_DATE = datetime.fromisoformat("2021-01-01T00:00:00+00:00")

# One model at a time fills the processor; one build of the marts at a time fills a slot.
LANGUAGE_POOL = "language_models"
MARTS_POOL = "marts"

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=WarehouseUnavailableError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=10),
            reason="PostgreSQL was away; an unfinished transaction left nothing behind",
        ),
        RetryRule(
            exception=[PlaceUnavailableError, OSError],
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=30),
            reason="A file or a network place was away",
        ),
        RetryRule(
            exception=FeedbackError,
            action=RetryAction.FAIL,
            reason="The same input fails in the same way: a person has to look",
        ),
    ]
)


def dag_arguments(owner: str, deadline_minutes: int, tags: list[str]) -> dict[str, Any]:
    """Return the arguments that every DAG takes; a run that is not done in time is reported."""
    return {
        "start_date": START_DATE,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {
            "owner": owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=10),
            "retry_policy": RETRY_POLICY,
            "execution_timeout": timedelta(minutes=deadline_minutes),
        },
        "dagrun_timeout": timedelta(minutes=4 * deadline_minutes),
        "tags": ["patient-feedback", *tags],
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(minutes=deadline_minutes),
            callback=AsyncCallback("patient_feedback.orchestration.callbacks.report_missed_deadline"),
        ),
    }


@contextmanager
def recorded_task() -> Iterator[tuple[Settings, TaskRun, TaskCounts]]:
    """Give a task its settings, its name and its counts, and record how it ends."""
    settings = Settings.from_environment()
    task_run = _task_run(get_current_context())
    with recorded(settings, task_run) as counts:
        yield settings, task_run, counts


def _task_run(context: Any) -> TaskRun:
    dag_run, task_instance = context["dag_run"], context["ti"]
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    is_backfill = run_type == "backfill" and dag_run.data_interval_start is not None
    return TaskRun(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        task_id=task_instance.task_id,
        try_number=task_instance.try_number,
        run_type=run_type,
        window=(dag_run.data_interval_start, dag_run.data_interval_end) if is_backfill else None,
        partition=task_instance.map_index + 1 if task_instance.map_index >= 0 else None,
    )
