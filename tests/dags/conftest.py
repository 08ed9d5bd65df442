"""Airflow in a home of its own; parsing DAGs needs no metadata database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory) -> dict[str, str]:
    """The environment in which DAG files are parsed; set in this process too, before Airflow is imported."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_DIR / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "FEEDBACK_HOME": str(home / "feedback"),
    }
    os.environ.update(settings)
    return {**settings, "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_DIR / "plugins")}
