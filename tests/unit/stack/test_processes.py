"""Processes of a stack are known by what they carry, not by files that can go stale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from patient_feedback.stack.processes import (
    HOME_MARK,
    SERVICE_MARK,
    end_processes,
    is_alive,
    marked_processes,
    service_leaders,
)

SLEEPER = "import sys, time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]).wait()"

Starter = Callable[[Path, str, str], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Starter]:
    started: list[subprocess.Popen[str]] = []
    homes: set[Path] = set()

    def starter(home: Path, service: str, program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, HOME_MARK: str(home), SERVICE_MARK: service},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        homes.add(home)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield starter
    for home in homes:
        for left in marked_processes(home):
            left.kill()
    for process in started:
        process.communicate(timeout=10)


def test_service_is_found_by_its_home_and_name(tmp_path: Path, start: Starter) -> None:
    scheduler = start(tmp_path / "a", "scheduler", SLEEPER)
    start(tmp_path / "b", "scheduler", SLEEPER)
    assert {name: each.pid for name, each in service_leaders(tmp_path / "a").items()} == {
        "scheduler": scheduler.pid
    }


def test_killed_service_is_gone_and_its_child_is_still_found(tmp_path: Path, start: Starter) -> None:
    parent = start(tmp_path, "scheduler", PARENT)
    os.kill(parent.pid, signal.SIGKILL)
    # Not waited for: the dead parent stays a zombie, as it would under a shell that does not reap.
    while psutil.Process(parent.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert service_leaders(tmp_path) == {}
    orphans = marked_processes(tmp_path, "scheduler")
    assert len(orphans) == 1
    assert marked_processes(tmp_path, "triggerer") == []


def test_process_that_ignores_the_request_is_killed(tmp_path: Path, start: Starter) -> None:
    polite, stubborn = start(tmp_path, "triggerer", SLEEPER), start(tmp_path, "scheduler", STUBBORN)
    killed = end_processes([psutil.Process(polite.pid), psutil.Process(stubborn.pid)], patience_seconds=1.0)
    assert [process.pid for process in killed] == [stubborn.pid]
    assert not any(
        is_alive(psutil.Process(each.pid)) for each in (polite, stubborn) if psutil.pid_exists(each.pid)
    )
