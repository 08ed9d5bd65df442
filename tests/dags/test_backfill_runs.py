"""The tasks of an ingest DAG in runs of Airflow's own type: a backfill reads its interval, and gives the same rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import harbour
import pytest

from patient_feedback.orchestration import ingestion
from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.connection import connect

DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "ingest_feedback.py"
DAG_ID = "ingest_feedback__harbour_fft"
STAGES = ("land_deliveries", "map_records", "check_and_accept")
BROUGHT = {3: datetime(2025, 5, 11, 6, tzinfo=UTC), 4: datetime(2025, 5, 12, 6, tzinfo=UTC)}
"""The moment at which the file of each month came."""
ROWS = """
select source_record_ref, submitted_on::text, service_slug, is_withdrawn::text from feedback.response
union all
select comment_id, response_id, comment_text, question_slug from feedback.comment
union all
select response_id, item_slug, answer_state, value_code from feedback.answer
order by 1, 2, 3, 4
"""

Run = Callable[..., None]


@pytest.fixture
def deliveries(tmp_path: Path) -> Path:
    folder = harbour.declare(tmp_path)
    for month, moment in BROUGHT.items():
        path = harbour.write_month(folder, month, respondents=4)
        os.utime(path, (moment.timestamp(), moment.timestamp()))
    return folder


@pytest.fixture
def new_warehouse(
    server: EmbeddedPostgres, deliveries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Settings]]:
    """Make a warehouse for the tasks that run from then on."""
    made = []

    def make() -> Settings:
        name = f"backfill_{os.getpid()}_{len(made)}"
        made.append(name)
        server.create_warehouse(name, template="warehouse_template")
        for variable, value in harbour.variables_for(server, name, deliveries, tmp_path / name).items():
            monkeypatch.setenv(variable, value)
        return Settings.from_environment()

    yield make
    for name in made:
        server.drop_database(name)


@pytest.fixture
def run_dag(airflow_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the stages of the declared source's DAG as a DAG run of a type, with its data interval."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType

    # Its models take seconds to load, and what they redact is not asked here.
    monkeypatch.setattr(ingestion, "_redaction", lambda *_: lambda texts: [(text, 0) for text in texts])

    def run(run_type: str, start: datetime) -> None:
        dag = DagBag(dag_folder=str(DAG_FILE)).dags[DAG_ID]
        end = start + timedelta(days=1)
        dag_run = DagRun(
            dag_id=DAG_ID,
            run_id=f"{run_type}__{start:%Y-%m-%d}",
            logical_date=start,
            data_interval_start=start,
            data_interval_end=end,
            run_after=end,
            start_date=end,
            end_date=None,
            run_type=DagRunType(run_type),
            state=DagRunState.RUNNING,
            consumed_asset_events=[],
            partition_key=None,
        )
        result: Any = None
        for stage in STAGES:
            with in_task(dag_run, stage):
                result = dag.get_task(stage).python_callable(*([] if result is None else [result]))

    return run


@contextmanager
def in_task(dag_run: object, task_id: str) -> Iterator[None]:
    """Give a task the context that Airflow's runner gives it."""
    from airflow.sdk.definitions._internal.contextmanager import _CURRENT_CONTEXT

    task_instance = SimpleNamespace(task_id=task_id, try_number=1, map_index=-1)
    _CURRENT_CONTEXT.append({"dag_run": dag_run, "ti": task_instance})
    try:
        yield
    finally:
        _CURRENT_CONTEXT.pop()


def query(settings: Settings, statement: str) -> list[tuple]:
    with connect(settings, "test") as connection:
        return connection.execute(statement).fetchall()


def landed(settings: Settings) -> list[str]:
    return [name for (name,) in query(settings, "select file_name from landing.delivery order by file_name")]


def checked_in(run_id: str) -> str:
    return (
        "select distinct file_name from audit.check_result "
        f"inner join landing.delivery on delivery_id = checked_subject where run_id = '{run_id}'"
    )


def test_backfill_of_intervals_gives_the_rows_of_runs_on_time(
    new_warehouse: Callable[[], Settings], run_dag: Run, deliveries: Path
) -> None:
    march, april = (moment.replace(hour=5) for moment in BROUGHT.values())

    late = new_warehouse()
    run_dag("backfill", march - timedelta(days=1))
    assert landed(late) == [], "no file came in that interval"
    run_dag("backfill", march)
    assert landed(late) == ["fft_2025_03.csv"], "April's file came after the interval"
    run_dag("backfill", april)
    assert landed(late) == ["fft_2025_03.csv", "fft_2025_04.csv"]
    assert query(late, "select distinct run_type from audit.pipeline_run") == [("backfill",)]

    on_time = new_warehouse()
    coming = deliveries / "fft_2025_04.csv"
    hidden = coming.rename(coming.with_suffix(".later"))
    run_dag("scheduled", march)
    assert landed(on_time) == ["fft_2025_03.csv"]
    hidden.rename(coming)
    run_dag("scheduled", april)
    rows = query(on_time, ROWS)
    assert rows
    assert query(late, ROWS) == rows

    # Past intervals again: a delivery that came in one, or whose feedback was given in it, is decided anew.
    for start, decided in ((march, "fft_2025_03.csv"), (datetime(2025, 4, 1, tzinfo=UTC), "fft_2025_04.csv")):
        run_dag("backfill", start)
        assert query(on_time, checked_in(f"backfill__{start:%Y-%m-%d}")) == [(decided,)]
        assert query(on_time, ROWS) == rows


def test_run_on_time_is_not_held_to_its_interval(new_warehouse: Callable[[], Settings], run_dag: Run) -> None:
    settings = new_warehouse()
    run_dag("scheduled", datetime(2025, 6, 1, 5, tzinfo=UTC))
    assert landed(settings) == ["fft_2025_03.csv", "fft_2025_04.csv"]
