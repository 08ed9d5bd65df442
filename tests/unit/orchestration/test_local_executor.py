"""The executor of the local stack: what it imports before it forks, and that it goes on where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[3]
START_AND_ASK_A_WORKER = """
import multiprocessing, os, sys
from patient_feedback.orchestration import local_executor
local_executor.PRELOADED_LIBRARIES = ("no_such_library", "this")
assert "this" not in sys.modules
executor = local_executor.PreloadedLocalExecutor(parallelism=1)
executor.start()
(worker,) = executor.workers.values()
assert worker.is_alive()
answers = multiprocessing.get_context("fork").SimpleQueue()
multiprocessing.get_context("fork").Process(target=lambda: answers.put("this" in sys.modules)).start()
assert answers.get(), "a process that is forked afterwards does not have the library"
executor.end()
"""


def test_worker_starts_with_the_libraries_even_where_one_is_missing(tmp_path: Path):
    """In a process of its own, since Airflow reads its settings when it is imported."""
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(PROJECT_DIR / "plugins"),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MP_START_METHOD": "fork",
    }
    result = subprocess.run(
        [sys.executable, "-c", START_AND_ASK_A_WORKER],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "no_such_library" in result.stdout + result.stderr
