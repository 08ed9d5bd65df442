"""One try of one task: its row in the audit trail, and errors that carry no patient's text."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.contract import stable_id
from patient_feedback.errors import (
    FeedbackError,
    PlaceUnavailableError,
    WarehouseError,
    WarehouseUnavailableError,
)
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

LIMIT_EXCEEDED = "54"
"""Class of SQLSTATEs that psycopg counts as errors of operation, though the data are what is refused."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """Names one try of a task, or of one partition of its work.

    `window` is the data interval of a backfill, else None; `partition` counts from 1 where the task is mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    try_number: int = 1
    run_type: str = "manual"
    window: tuple[datetime, datetime] | None = None
    partition: int | None = None

    @property
    def pipeline_run_id(self) -> str:
        partition = [] if self.partition is None else [str(self.partition)]
        return stable_id(self.dag_id, self.run_id, self.task_id, str(self.try_number), *partition)


@dataclass(slots=True)
class TaskCounts:
    """What a task did, for the audit trail and for the person who watches."""

    row_count: int | None = None
    counts: dict[str, int | str] = field(default_factory=dict)
    is_skipped: bool = False


@contextmanager
def recorded(settings: Settings, task_run: TaskRun) -> Iterator[TaskCounts]:
    """Record the start and the end of a task's try in audit.pipeline_run.

    An error leaves as a FeedbackError whose message holds no delivered value: a database's own message
    may quote the row it refuses, so only its code and the names of table and constraint are kept.
    """
    _record_start(settings, task_run)
    counts = TaskCounts()
    failure: FeedbackError | None = None
    try:
        yield counts
    except FeedbackError as error:
        failure = error
    except psycopg.Error as error:
        failure = _without_values(error)
    except OSError as error:
        failure = PlaceUnavailableError(
            f"A file or a place on the network is away: {type(error).__name__}"
            f"{f' ({os.strerror(error.errno)})' if error.errno else ''} at {_place(error)}. The task can run again."
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a patient
        failure = FeedbackError(
            f"Unexpected {type(error).__name__} at {_place(error)} in task {task_run.task_id}. "
            "Its message is withheld, since it may quote feedback."
        )
    if failure is not None:
        _record_end(settings, task_run, "failed", counts, type(failure).__name__)
        # "from None": no chained exception brings the withheld message to the log.
        raise failure.with_traceback(None) from None
    _record_end(settings, task_run, "skipped" if counts.is_skipped else "succeeded", counts)


def _record_start(settings: Settings, task_run: TaskRun) -> None:
    start, end = task_run.window or (None, None)
    with connect(settings, task_run.task_id) as connection:
        # One run of a DAG at a time, but for the intervals of a backfill: an older try that still says
        # "running" was killed. Other partitions of the same run are at work beside this one.
        connection.execute(
            """
            update audit.pipeline_run
            set run_state = 'failed', error_kind = 'killed', finished_at = now()
            where
                dag_id = %(dag_id)s
                and task_id = %(task_id)s
                and run_state = 'running'
                and case
                    when run_id = %(run_id)s then partition_number is not distinct from %(partition)s
                    else 'backfill' not in (run_type, %(run_type)s)
                end
            """,
            {
                "dag_id": task_run.dag_id,
                "task_id": task_run.task_id,
                "run_id": task_run.run_id,
                "run_type": task_run.run_type,
                "partition": task_run.partition,
            },
        )
        connection.execute(
            """
            insert into audit.pipeline_run (
                pipeline_run_id, dag_id, run_id, task_id, try_number, run_type,
                data_interval_start, data_interval_end, partition_number, run_state
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'running')
            on conflict (pipeline_run_id) do update
            set run_state = 'running', started_at = now(), finished_at = null, row_count = null,
                counts = '{}', error_kind = null
            """,
            (
                task_run.pipeline_run_id,
                task_run.dag_id,
                task_run.run_id,
                task_run.task_id,
                task_run.try_number,
                task_run.run_type,
                start,
                end,
                task_run.partition,
            ),
        )


def _record_end(
    settings: Settings, task_run: TaskRun, run_state: str, counts: TaskCounts, error_kind: str | None = None
) -> None:
    try:
        with connect(settings, task_run.task_id) as connection:
            connection.execute(
                """
                update audit.pipeline_run
                set run_state = %s, finished_at = now(), row_count = %s, counts = %s, error_kind = %s
                where pipeline_run_id = %s
                """,
                (run_state, counts.row_count, Jsonb(counts.counts), error_kind, task_run.pipeline_run_id),
            )
    except (psycopg.Error, WarehouseError):
        if error_kind is None:
            raise
        log.warning("The end of task %s could not be recorded: the warehouse is away.", task_run.task_id)


def _without_values(error: psycopg.Error) -> FeedbackError:
    is_of_operation = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if is_of_operation and not (error.sqlstate or "").startswith(LIMIT_EXCEEDED):
        return WarehouseUnavailableError(
            f"The connection to PostgreSQL broke ({type(error).__name__}). "
            "The task can run again: an unfinished transaction leaves nothing behind."
        )
    names = [
        f"{kind} {name}"
        for kind, name in (
            ("table", error.diag.table_name),
            ("column", error.diag.column_name),
            ("constraint", error.diag.constraint_name),
        )
        if name
    ]
    return WarehouseError(
        f"PostgreSQL refuses a statement: {type(error).__name__} (SQLSTATE {error.sqlstate}) at {_place(error)}"
        + (f", {', '.join(names)}" if names else "")
        + ". The message is withheld, since it may quote feedback."
    )


def _place(error: BaseException) -> str:
    traceback, place = error.__traceback__, "an unknown place"
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if "patient_feedback" in path.parts:
            place = f"{path.name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
