"""Airflow's LocalExecutor, whose workers are forked from a process that has imported the heavy libraries.

Airflow forks a process for every task; what that process imports itself, it imports again for every task. The
libraries below are more than a quarter of a minute of a core's work, on some machines most of what a task does.
Only libraries are imported here, none of the project's own modules: a task always runs the code that lies on disk.
"""

from __future__ import annotations

import importlib

import structlog
from airflow.executors.local_executor import LocalExecutor

PRELOADED_LIBRARIES = (
    "great_expectations",
    "presidio_analyzer",
    "sentence_transformers",
    "dbt.cli.main",
)


class PreloadedLocalExecutor(LocalExecutor):
    """A LocalExecutor that imports `PRELOADED_LIBRARIES` once, before it forks its workers."""

    def start(self) -> None:
        """Import the libraries and start the workers; one that cannot be imported is left to the tasks that need it."""
        for library in PRELOADED_LIBRARIES:
            try:
                importlib.import_module(library)
            except ImportError as error:
                structlog.get_logger(__name__).warning(
                    "A library could not be imported ahead of the tasks.",
                    library=library,
                    error=type(error).__name__,
                )
        super().start()
