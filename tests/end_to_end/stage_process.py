"""A run of all stages in a process that a test can kill, forked from one that has imported what they need.

Airflow's LocalExecutor forks its workers in the same way; importing the models' libraries anew for each of
thirty runs would take minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PRELOADED = [
    "great_expectations",
    "sentence_transformers",
    "spacy",
    "presidio_analyzer",
    "dbt.cli.main",
    "run_stages",
]


class StageProcess:
    """Stands for the process as `subprocess.Popen` would, as far as the tests ask."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._folder = Path(tempfile.mkdtemp(prefix="stage-process-"))
        self._process = context.Process(target=_work, args=(dict(environment), arguments, str(self._folder)))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; return what was printed and what was said of errors."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"The run has not ended within {timeout} s.")
        texts = [
            path.read_text(encoding="utf-8") if path.exists() else ""
            for path in (self._folder / "output", self._folder / "errors")
        ]
        shutil.rmtree(self._folder, ignore_errors=True)
        return texts[0], texts[1]


def _work(environment: dict[str, str], arguments: tuple[str, ...], folder: str) -> None:
    os.setsid()
    for name, descriptor in (("output", 1), ("errors", 2)):
        file = os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.update(environment)
    import run_stages

    run_stages.main(*arguments)
    sys.stdout.flush()
