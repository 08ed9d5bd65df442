"""Asks the Airflow at hand whether the connections that a declaration names are there, and of use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from patient_feedback.errors import StackError
from patient_feedback.settings import Settings
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.postgres import EmbeddedPostgres

OWN_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""Set where an Airflow is set up by its environment, as in the containers of production."""


def connection_problems(
    settings: Settings, sources_file: Path, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return, by source, what is wrong with its connection.

    Raises StackError where no Airflow is there to ask.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "patient_feedback.orchestration.source_connections", str(sources_file)],
        env=_environment(settings, os.environ if environ is None else environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        problems: dict[str, str] = json.loads(asked.stdout.rpartition("\n")[2])
    except ValueError:
        # Not its own words: they may hold the address of its database.
        raise StackError(
            f"Airflow does not answer (exit {asked.returncode}); `airflow db check` says why"
        ) from None
    return problems


def _environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    # Else Airflow would look at variables alone, as if inside a task that nobody supervises.
    asking = {"_AIRFLOW_PROCESS_CONTEXT": "server"}
    if OWN_DATABASE in environ:
        return {**environ, **asking}
    if not EmbeddedPostgres(settings.home, settings.db_port).is_running():
        raise StackError("the local Airflow does not run; `patient-feedback up` starts it")
    return {**LocalAirflow(settings, environ).client_environment(), **asking}
