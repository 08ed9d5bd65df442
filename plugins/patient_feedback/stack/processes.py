"""What runs on this machine: the processes of a stack, and who holds a port.

The operating system itself is asked, never a pid file: a service carries its home and its name in
its environment, and so does every process that it starts. A killed run leaves nothing to go stale.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from patient_feedback.errors import StackError

HOME_MARK = "FEEDBACK_STACK_HOME"
SERVICE_MARK = "FEEDBACK_STACK_SERVICE"


def marked_processes(home: Path, service: str | None = None) -> list[psutil.Process]:
    """Return the living processes that the stack of `home`, or one service of it, started."""
    found = []
    for process in psutil.process_iter(["status"]):
        if process.pid == os.getpid() or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        try:
            environ = process.environ()
            if environ.get(HOME_MARK) == str(home) and service in (None, environ.get(SERVICE_MARK)):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess, OSError):
            continue
    return found


def service_leaders(home: Path) -> dict[str, psutil.Process]:
    """Return the first process of each living service of `home`, by the service's name."""
    leaders = {}
    for process in marked_processes(home):
        try:
            # A service is started as the leader of a session of its own, and its name given with it.
            if os.getsid(process.pid) == process.pid:
                leaders[process.environ()[SERVICE_MARK]] = process
        except (KeyError, ProcessLookupError, psutil.Error):
            continue
    return leaders


def processes_in_folder(folder: Path, name: str) -> list[psutil.Process]:
    """Return the living processes called `name` whose working folder is `folder`."""
    found = []
    for process in psutil.process_iter(["name", "status"]):
        if process.info["name"] != name or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        try:
            if Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_processes(processes: Iterable[psutil.Process], patience_seconds: float) -> list[psutil.Process]:
    """Ask the processes to end, wait, then kill the rest; return those that had to be killed."""
    waiting = list(processes)
    for process in waiting:
        _quietly(process.terminate)
    rest = _wait_until_gone(waiting, patience_seconds)
    for process in rest:
        _quietly(process.kill)
    _wait_until_gone(rest, 5.0)
    return rest


def _wait_until_gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while (processes := [p for p in processes if is_alive(p)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return processes


def is_alive(process: psutil.Process) -> bool:
    """True while the process runs; a zombie, or another process with its pid, does not count."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _quietly(action: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        action()


def refuse_occupied_port(port: int, purpose: str, variable: str) -> None:
    """Raise StackError where 127.0.0.1:`port` is taken, with the holder's name and the variable to set."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return
        except PermissionError:
            raise StackError(
                f"Port {port}, wanted for {purpose}, is reserved for the system: "
                f"choose one above 1023, {variable}=<free port> make run."
            ) from None
        except OSError:
            pass
    raise StackError(
        f"Port {port}, wanted for {purpose}, is taken{_holder(port)}. "
        f"Stop what holds it, or choose another port: {variable}=<free port> make run."
    )


def is_port_free(port: int) -> bool:
    """Tell whether a server can listen on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""
