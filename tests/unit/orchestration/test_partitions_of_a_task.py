"""A task whose work is cut into partitions: each has its own row in the audit trail, people see one stage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from patient_feedback.errors import FeedbackError
from patient_feedback.orchestration.task_run import TaskRun, recorded
from patient_feedback.settings import Settings
from patient_feedback.stack.workflow import WorkflowRun, _stages
from patient_feedback.warehouse.connection import connect


def embedding(partition: int, run_id: str = "run") -> TaskRun:
    return TaskRun("analyse_comments", run_id, "embed_comments", partition=partition)


def states(settings: Settings) -> dict[tuple[str, int], str]:
    with connect(settings, "test") as connection:
        rows = connection.execute(
            "select run_id, partition_number, run_state from audit.pipeline_run"
        ).fetchall()
    return {(run_id, partition): state for run_id, partition, state in rows}


def test_partitions_at_work_beside_each_other_end_each_for_itself(warehouse: Settings) -> None:
    with recorded(warehouse, embedding(1)) as first:
        with recorded(warehouse, embedding(2)) as second:
            assert states(warehouse) == {("run", 1): "running", ("run", 2): "running"}
            second.row_count = 5
        first.row_count = 7
    assert states(warehouse) == {("run", 1): "succeeded", ("run", 2): "succeeded"}

    run = WorkflowRun(datetime.now(UTC) - timedelta(hours=1), {})
    [stage] = _stages(warehouse, run)
    assert (stage.task_id, stage.state, stage.row_count) == ("embed_comments", "succeeded", 12)


def test_partition_of_an_earlier_run_that_still_says_running_was_killed(warehouse: Settings) -> None:
    with pytest.raises(FeedbackError), recorded(warehouse, embedding(1, "later")):  # noqa: PT012 - work is under way
        with connect(warehouse, "test") as connection:
            connection.execute(
                "insert into audit.pipeline_run (pipeline_run_id, dag_id, run_id, task_id, try_number, "
                "partition_number, run_state) "
                "values ('p', 'analyse_comments', 'earlier', 'embed_comments', 1, 3, 'running')"
            )
        with recorded(warehouse, embedding(2, "later")):
            assert states(warehouse) == {
                ("earlier", 3): "failed",
                ("later", 1): "running",
                ("later", 2): "running",
            }
        raise FeedbackError("the first partition fails alone")
    assert states(warehouse)["later", 1] == "failed"
    run = WorkflowRun(datetime.now(UTC) - timedelta(hours=1), {})
    assert [stage.state for stage in _stages(warehouse, run) if stage.run_id == "later"] == ["failed"]
