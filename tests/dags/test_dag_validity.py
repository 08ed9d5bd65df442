"""What every DAG must have, so that a person who is paged at night can act."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
SHARED_DAGS = {"analyse_comments", "discover_themes", "build_marts"}
HEAVY_MODULES = (
    "torch",
    "transformers",
    "sentence_transformers",
    "great_expectations",
    "spacy",
    "dbt",
    "pandas",
    "sklearn",
)


@pytest.fixture(scope="module")
def dag_bag(airflow_environment):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


def declared_slugs() -> set[str]:
    from patient_feedback.sources.declaration import load_sources

    return {source.slug for source in load_sources(DAGS / "sources.yml")}


def test_dag_ids_are_exactly_the_declared_ones(dag_bag):
    assert not dag_bag.import_errors
    assert set(dag_bag.dags) == SHARED_DAGS | {f"ingest_feedback__{slug}" for slug in declared_slugs()}


def test_every_dag_says_what_to_do_when_it_fails(dag_bag):
    for dag_id, dag in dag_bag.dags.items():
        assert dag.doc_md and "**When it fails**" in dag.doc_md, (
            f"{dag_id}: give its file a runbook docstring"
        )
        assert "patient-feedback" in dag.tags, f"{dag_id}: take its arguments from dag_arguments()"
        assert dag.deadline, f"{dag_id}: give it a deadline"
        assert dag.max_active_runs == 1, f"{dag_id}: two runs at once would decide on the same rows"
        for task in dag.tasks:
            assert task.owner not in ("", "airflow"), f"{dag_id}.{task.task_id}: name an owner"
            assert task.retries and task.retry_policy, f"{dag_id}.{task.task_id}: retry by kind of error"
            assert task.execution_timeout, f"{dag_id}.{task.task_id}: bound its time"


def test_pools_named_by_tasks_are_declared(dag_bag):
    import json

    declared = set(json.loads((DAGS / "pools.json").read_text(encoding="utf-8"))) | {"default_pool"}
    used = {task.pool for dag in dag_bag.dags.values() for task in dag.tasks}
    assert used <= declared


def test_assets_tie_every_dag_to_the_one_before(dag_bag):
    produced = {
        outlet.name: dag_id
        for dag_id, dag in dag_bag.dags.items()
        for task in dag.tasks
        for outlet in task.outlets
    }
    for consumer, producer in (
        ("analyse_comments", "ingest_feedback__"),
        ("discover_themes", "analyse_comments"),
        ("build_marts", "discover_themes"),
    ):
        asked = [asset.name for asset in dag_bag.dags[consumer].timetable.asset_condition.objects]
        assert asked, f"{consumer} waits for no asset"
        assert all(produced[name].startswith(producer) for name in asked)


@pytest.mark.parametrize("dag_file", sorted(DAGS.glob("*.py")), ids=lambda path: path.name)
def test_dag_file_imports_nothing_heavy(dag_file, airflow_environment):
    script = (
        "import runpy, sys\n"
        f"runpy.run_path({str(dag_file)!r}, run_name='dag')\n"
        f"print([name for name in {HEAVY_MODULES!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=airflow_environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("dag_file", sorted(DAGS.glob("*.py")), ids=lambda path: path.name)
def test_dag_file_is_wiring_only(dag_file):
    lines = dag_file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90, f"{dag_file.name}: move what it does to patient_feedback.orchestration"


def test_plugin_loader_leaves_the_library_alone():
    ignored = (DAGS.parent / "plugins" / ".airflowignore").read_text(encoding="utf-8").splitlines()
    assert "patient_feedback/" in ignored
