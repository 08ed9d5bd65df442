"""What runs on this machine: processes known by pid and start time, and who holds a port."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from patient_feedback.errors import StackError

START_TIME_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as a pid file records it; the start time tells it from a later one with the same pid."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessRecord:
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """Return what the pid file says, or None where there is none or it is torn."""
        try:
            pid, started_at = path.read_text(encoding="utf-8").split()
            return cls(int(pid), float(started_at))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started_at}\n", encoding="utf-8")

    def is_alive(self) -> bool:
        """True where this very process still runs; a zombie, or another process with its pid, does not count."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started_at) <= START_TIME_TOLERANCE_SECONDS
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def processes_in_folder(folder: Path, name: str) -> list[psutil.Process]:
    """Return the living processes called `name` whose working folder is `folder`."""
    found = []
    for process in psutil.process_iter(["name", "status"]):
        if process.info["name"] != name or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        try:
            if Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, FileNotFoundError):
            continue
    return found


def stop_groups(groups: Iterable[int], patience_seconds: float = 20.0) -> None:
    """End process groups together: SIGTERM, wait, then SIGKILL for what is left."""
    living = [group for group in groups if _signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + patience_seconds
    while living and time.monotonic() < deadline:
        time.sleep(0.05)
        living = [group for group in living if is_group_alive(group)]
    for group in living:
        _signal_group(group, signal.SIGKILL)
    while any(is_group_alive(group) for group in living) and time.monotonic() < deadline + 5:
        time.sleep(0.05)


def is_group_alive(group: int) -> bool:
    """True while a process of the group runs; zombies do not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
        except ProcessLookupError:
            continue
    return False


def _signal_group(group: int, number: signal.Signals) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def refuse_occupied_port(port: int, purpose: str, variable: str) -> None:
    """Raise StackError where 127.0.0.1:`port` is taken, with the holder's name and the variable to set."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return
        except OSError:
            pass
    raise StackError(
        f"Port {port}, wanted for {purpose}, is taken{_holder(port)}. "
        f"Stop what holds it, or choose another port: {variable}=<free port> make run."
    )


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return ""
