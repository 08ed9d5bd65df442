"""One run of the whole workflow through Airflow's scheduler: start it, follow it, say how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import psycopg

from patient_feedback.errors import StackError, WarehouseError
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source, load_sources, write_resolved
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.airflow_api import AirflowApi
from patient_feedback.stack.processes import service_leaders
from patient_feedback.warehouse.connection import connect

INGEST_PREFIX = "ingest_feedback__"
DOWNSTREAM = ("analyse_comments", "discover_themes", "build_marts")
ACTIVE_STATES = {"queued", "running"}
POLL_SECONDS = 1.0
REGISTRATION_PATIENCE_SECONDS = 120.0
SCHEDULE_PATIENCE_SECONDS = 60.0
"""A scheduler that has just been started imports libraries before it looks what is due (`local_executor`)."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One task of one DAG run as the audit trail knows it."""

    dag_id: str
    run_id: str
    task_id: str
    state: str
    row_count: int | None
    counts: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None

    @property
    def seconds(self) -> float:
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class FailedTask:
    dag_id: str
    run_id: str
    task_id: str
    try_number: int
    message: str
    log_file: Path


@dataclass(slots=True)
class WorkflowRun:
    """What was started, and what is known of it so far."""

    started_at: datetime
    ingest_runs: dict[str, str]
    """The run_id of each ingest DAG's run, by dag_id."""
    stages: list[StageProgress] = field(default_factory=list)
    dag_runs: list[dict[str, Any]] = field(default_factory=list)
    failures: list[FailedTask] = field(default_factory=list)
    is_finished: bool = False

    @property
    def has_published(self) -> bool:
        return any(stage.task_id == "publish_marts" and stage.state == "succeeded" for stage in self.stages)

    @property
    def seconds(self) -> float:
        return (datetime.now(UTC) - self.started_at).total_seconds()

    @property
    def under_way(self) -> list[str]:
        """The DAGs that run or wait to run, by name."""
        return sorted({run["dag_id"] for run in self.dag_runs if run["state"] in ACTIVE_STATES})


def put_sources(settings: Settings, path: Path) -> tuple[tuple[Source, ...], datetime | None]:
    """Check a declaration and make it the one in force; return its sources and, where it is new, the moment.

    Raises DeclarationError before anything is changed.
    """
    sources = load_sources(path, check_paths=True)
    in_force = LocalAirflow(settings).sources_file
    candidate = in_force.with_name(".sources.yml.new")
    write_resolved(sources, candidate)
    if in_force.exists() and in_force.read_bytes() == candidate.read_bytes():
        candidate.unlink()
        return sources, None
    candidate.replace(in_force)
    return sources, datetime.now(UTC)


def ingest_dag_id(source: Source) -> str:
    return INGEST_PREFIX + source.slug


def wait_for_dags(
    settings: Settings, api: AirflowApi, wanted: Sequence[str], changed_at: datetime | None
) -> None:
    """Return once the DAG processor has read every wanted DAG since `changed_at`, and since its own start.

    Raises StackError with the import error where a DAG file cannot be read.
    """
    leader = service_leaders(settings.home).get("dag-processor")
    since = datetime.fromtimestamp(leader.create_time(), UTC) if leader else datetime.min.replace(tzinfo=UTC)
    if changed_at is not None:
        for token in {dag["file_token"] for dag in api.dags().values()}:
            api.parse_again(token)
        since = max(since, changed_at)
    deadline = time.monotonic() + REGISTRATION_PATIENCE_SECONDS
    while True:
        dags = api.dags()
        missing = [
            dag_id for dag_id in wanted if dag_id not in dags or not _is_read_since(dags[dag_id], since)
        ]
        if not missing:
            return
        for error in api.import_errors():
            if datetime.fromisoformat(error["timestamp"]) >= since:
                raise StackError(
                    f"Airflow cannot read {error['filename']}: {_last_line(error['stack_trace'])}"
                )
        if time.monotonic() > deadline:
            log = LocalAirflow(settings).log_file("dag-processor")
            raise StackError(
                f"The DAG processor has not registered {', '.join(missing)} within "
                f"{REGISTRATION_PATIENCE_SECONDS:.0f} s: see {log}."
            )
        time.sleep(0.5)


def start(api: AirflowApi, sources: Sequence[Source], since: datetime) -> WorkflowRun:
    """Have every source ingested once; the other DAGs follow by their assets.

    A run that the schedule has made since `since`, or is about to make, is taken: a second one would only
    wait for it and find nothing.
    """
    dags = api.dags()
    wanted = [ingest_dag_id(source) for source in sources]
    for dag_id in (*DOWNSTREAM, *wanted):
        if dags[dag_id]["is_paused"]:
            api.unpause(dag_id)
    now, deadline = datetime.now(UTC), time.monotonic() + SCHEDULE_PATIENCE_SECONDS
    runs = {}
    for dag_id in wanted:
        due_at = dags[dag_id]["next_dagrun_run_after"]
        is_due = due_at is not None and datetime.fromisoformat(due_at) <= now
        run_id = _scheduled_run(api, dag_id, since, deadline if is_due else 0)
        runs[dag_id] = run_id or api.trigger(dag_id)
    return WorkflowRun(since, runs)


def _scheduled_run(api: AirflowApi, dag_id: str, since: datetime, deadline: float) -> str | None:
    while True:
        for dag_run in api.newest_runs(dag_id):
            queued_at = dag_run["queued_at"]
            if (
                dag_run["run_type"] == "scheduled"
                and queued_at
                and datetime.fromisoformat(queued_at) >= since
            ):
                return str(dag_run["dag_run_id"])
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.5)


def follow(
    settings: Settings, api: AirflowApi, run: WorkflowRun, show: Callable[[WorkflowRun], None]
) -> WorkflowRun:
    """Watch the run until nothing of it is left to do; `show` is called about once a second."""
    quiet_polls = 0
    while quiet_polls < 2:
        quiet_polls = quiet_polls + 1 if _is_quiet(api, run) else 0
        run.stages = _stages(settings, run)
        show(run)
        if quiet_polls < 2:
            time.sleep(POLL_SECONDS)
    run.failures = _failures(settings, api, run)
    run.is_finished = True
    show(run)
    return run


def _is_quiet(api: AirflowApi, run: WorkflowRun) -> bool:
    """True where no run is under way and no asset event waits; the order of questions follows the flow."""
    run.dag_runs = api.runs_since(run.started_at)
    if any(_belongs(each, run) and each["state"] in ACTIVE_STATES for each in run.dag_runs):
        return False
    # An event that was taken up meanwhile shows as a run at the next poll: two quiet polls end the watch.
    return not any(api.has_queued_event(dag_id) for dag_id in DOWNSTREAM)


def _belongs(dag_run: dict[str, Any], run: WorkflowRun) -> bool:
    dag_id = dag_run["dag_id"]
    return dag_id in DOWNSTREAM or run.ingest_runs.get(dag_id) == dag_run["dag_run_id"]


def _stages(settings: Settings, run: WorkflowRun) -> list[StageProgress]:
    """Return each task since the run began, by its newest tries; none while the warehouse is away."""
    try:
        with connect(settings, "follow") as connection:
            rows = connection.execute(
                """
                select distinct on (dag_id, run_id, task_id, partition_number)
                    dag_id, run_id, task_id, run_state, row_count, counts, started_at, finished_at
                from audit.pipeline_run
                where started_at >= %s and dag_id = any(%s)
                order by dag_id, run_id, task_id, partition_number, try_number desc
                """,
                (run.started_at, [*DOWNSTREAM, *run.ingest_runs]),
            ).fetchall()
    except (WarehouseError, psycopg.Error):
        return run.stages
    stages = [
        _joined(list(parts)) for _, parts in groupby((StageProgress(*row) for row in rows), key=_task_of)
    ]
    # Scheduled runs of several DAGs bear the same run_id.
    own = (stage for stage in stages if run.ingest_runs.get(stage.dag_id, stage.run_id) == stage.run_id)
    return sorted(own, key=lambda stage: stage.started_at)


def _task_of(stage: StageProgress) -> tuple[str, str, str]:
    return stage.dag_id, stage.run_id, stage.task_id


def _joined(parts: list[StageProgress]) -> StageProgress:
    """Return a task whose work was cut into partitions as one stage: as bad as its worst, as far as its slowest."""
    if len(parts) == 1:
        return parts[0]
    states = {part.state for part in parts}
    worst = next(state for state in ("failed", "running", "succeeded", "skipped") if state in states)
    counts: dict[str, Any] = {}
    for part in parts:
        for name, value in part.counts.items():
            counts[name] = counts.get(name, 0) + value if isinstance(value, int) else value
    ends = [part.finished_at for part in parts if part.finished_at is not None]
    return StageProgress(
        *_task_of(parts[0]),
        worst,
        sum(part.row_count or 0 for part in parts),
        counts,
        min(part.started_at for part in parts),
        max(ends) if len(ends) == len(parts) else None,
    )


def _failures(settings: Settings, api: AirflowApi, run: WorkflowRun) -> list[FailedTask]:
    """Return the failed tasks; where several runs of a DAG failed at the same task, the newest."""
    failures = {}
    for dag_run in run.dag_runs:
        if dag_run["state"] != "failed" or not _belongs(dag_run, run):
            continue
        dag_id, run_id = dag_run["dag_id"], dag_run["dag_run_id"]
        for task in api.task_instances(dag_id, run_id):
            if task["state"] == "failed":
                failures[dag_id, task["task_id"]] = _failed_task(settings, api, dag_id, run_id, task)
    return list(failures.values())


def _failed_task(
    settings: Settings, api: AirflowApi, dag_id: str, run_id: str, task: dict[str, Any]
) -> FailedTask:
    task_id, try_number, map_index = task["task_id"], task["try_number"], task.get("map_index", -1)
    try:
        message = api.error_message(dag_id, run_id, task_id, try_number, map_index)
    except (StackError, httpx.HTTPError):
        message = None
    folder = settings.home / "logs" / "tasks" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    if map_index >= 0:
        folder = folder / f"map_index={map_index}"
    return FailedTask(
        dag_id,
        run_id,
        task_id,
        try_number,
        message or "It ended without an error of its own: it was killed, or ran out of time or memory.",
        folder / f"attempt={try_number}.log",
    )


def _is_read_since(dag: dict[str, Any], moment: datetime) -> bool:
    parsed_at = dag.get("last_parsed_time")
    return parsed_at is not None and datetime.fromisoformat(parsed_at) >= moment


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given."
