"""Brings the local stack up and down: PostgreSQL, the warehouse's schemas, Airflow's services."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from patient_feedback.errors import StackError
from patient_feedback.settings import Settings
from patient_feedback.stack.airflow import LocalAirflow, ServiceState
from patient_feedback.stack.airflow_api import AirflowApi
from patient_feedback.stack.postgres import EmbeddedPostgres, refuse_full_disk

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StackState:
    postgres_pid: int | None
    postgres_port: int | None
    services: list[ServiceState]

    @property
    def is_up(self) -> bool:
        return self.postgres_pid is not None and all(service.is_healthy for service in self.services)


def bring_up(settings: Settings, report: Report) -> None:
    """Leave the whole stack running, migrated and healthy; what runs already is left as it is."""
    server = EmbeddedPostgres(settings.home, settings.db_port)
    airflow = LocalAirflow(settings)
    if server.is_running() and server.running_port == settings.db_port and _is_healthy(airflow):
        refuse_full_disk(settings.home)
        return
    make_home(settings)
    with only_one(settings, "stack.lock", "starts or stops the stack"):
        airflow.refuse_hindrances()
        report("Starting PostgreSQL")
        server.start()
        report("Starting Airflow")
        with ThreadPoolExecutor(1) as beside:
            migration = beside.submit(_migrate, settings)
            airflow.start_services()
            migration.result()
            airflow.wait_until_healthy()
        with api(settings) as airflow_api:
            airflow_api.set_pools(declared_pools(settings))


def take_down(settings: Settings, report: Report) -> None:
    """Stop everything that the stack of this home started; nothing to stop is fine."""
    if not settings.home.is_dir():
        return
    with only_one(settings, "stack.lock", "starts or stops the stack"):
        report("Stopping Airflow")
        LocalAirflow(settings).stop()
        report("Stopping PostgreSQL")
        EmbeddedPostgres(settings.home, settings.db_port).stop()


def describe(settings: Settings) -> StackState:
    server = EmbeddedPostgres(settings.home, settings.db_port)
    return StackState(server.pid, server.running_port, LocalAirflow(settings).states())


def api(settings: Settings) -> AirflowApi:
    airflow = LocalAirflow(settings)
    return AirflowApi(airflow.url, "admin", airflow.password("admin"))


def declared_pools(settings: Settings) -> dict[str, dict[str, object]]:
    """Return the pools that `dags/pools.json` declares, by name."""
    path = settings.project_dir / "dags" / "pools.json"
    pools: dict[str, dict[str, object]] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    return pools


def make_home(settings: Settings) -> None:
    """Make the folder of all state; raise StackError where it cannot be written."""
    try:
        settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        for name in ("landing", "logs"):
            (settings.home / name).mkdir(mode=0o700, exist_ok=True)
        probe = settings.home / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StackError(
            f"The folder {settings.home} cannot be written ({error.strerror}). "
            "Make it writable, or choose another: FEEDBACK_HOME=<folder> make run."
        ) from error
    refuse_full_disk(settings.home)


@contextmanager
def only_one(settings: Settings, lock_name: str, doing: str) -> Iterator[None]:
    """Hold a lock of this home; raise StackError naming the process that holds it already."""
    with (settings.home / lock_name).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise StackError(
                f"Another patient-feedback (process {holder}) {doing} in {settings.home}: "
                "wait for it, or end it. "
                "A second copy needs its own FEEDBACK_HOME, FEEDBACK_UI_PORT and FEEDBACK_DB_PORT."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _is_healthy(airflow: LocalAirflow) -> bool:
    return all(state.is_healthy for state in airflow.states())


def _migrate(settings: Settings) -> None:
    from patient_feedback.warehouse.migrate import migrate

    migrate(settings)
