"""A local Airflow: four services, each in its own session, bound to 127.0.0.1, its state under one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil

from patient_feedback.errors import StackError
from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.stack.processes import (
    HOME_MARK,
    SERVICE_MARK,
    end_processes,
    is_alive,
    marked_processes,
    refuse_occupied_port,
    service_leaders,
)
from patient_feedback.stack.secret_files import ensure_secret, write_private_file
from patient_feedback.warehouse.cluster import AIRFLOW_ROLE

SERVICES: dict[str, tuple[str, ...]] = {
    # The log servers would listen on every address; the API server reads the logs from the disk instead.
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
HEALTH_KEYS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
USERS = {"admin": "admin", "viewer": "viewer"}
STOP_PATIENCE_SECONDS = 20.0
START_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class ServiceState:
    name: str
    pid: int | None
    is_healthy: bool


class LocalAirflow:
    """Airflow's services for one home; starting and stopping twice is the same as once."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self._environ = dict(os.environ if environ is None else environ)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.ui_port}"

    @property
    def folder(self) -> Path:
        return self.settings.home / "airflow"

    def log_file(self, service: str) -> Path:
        return self.settings.home / "logs" / "services" / f"{service}.log"

    @property
    def sources_file(self) -> Path:
        """The resolved declaration that the DAGs read, whatever file the user named."""
        return self.settings.home / "sources.yml"

    def password(self, user: str) -> str:
        return self._secret(f"ui_{user}_password", 18)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of Airflow's processes, secrets included."""
        settings, home = self.settings, self.settings.home
        database = (
            f"{AIRFLOW_ROLE}:{quote(settings.secret(f'{AIRFLOW_ROLE}_password'), safe='')}"
            f"@{settings.db_host}:{settings.db_port}/{AIRFLOW_ROLE}"
        )
        inherited = {
            name: value
            for name, value in self._environ.items()
            # A connection in the environment is one of the ways in which Airflow is given secrets.
            if name.startswith("AIRFLOW_CONN_") or not name.startswith(("AIRFLOW_", "_AIRFLOW_"))
        }
        no_proxy = ",".join(
            filter(None, ["127.0.0.1,localhost", inherited.get("NO_PROXY", inherited.get("no_proxy"))])
        )
        return {
            **inherited,
            "FEEDBACK_HOME": str(home),
            "FEEDBACK_PROJECT_DIR": str(settings.project_dir),
            "FEEDBACK_SOURCES": str(self.sources_file),
            "FEEDBACK_DB_HOST": settings.db_host,
            "FEEDBACK_DB_PORT": str(settings.db_port),
            "FEEDBACK_DB_NAME": settings.db_name,
            "FEEDBACK_UI_PORT": str(settings.ui_port),
            HOME_MARK: str(home),
            # Process titles would overwrite the environment that the stack knows its processes by.
            "SPT_NOENV": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]),
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "SCARF_ANALYTICS": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(settings.project_dir / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.project_dir / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "patient_feedback.orchestration.local_executor.PreloadedLocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": self._fernet_key(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
            # `start` migrates before it starts anything.
            "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(settings.ui_port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": self._secret("airflow_secret_key", 64),
            "AIRFLOW__API__INSTANCE_NAME": "Patient feedback",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret("airflow_jwt_secret", 64),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "tasks"),
            "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(
                home / "logs" / "dag_processor"
            ),
            "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": "WARNING",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "3600",
            # A killed run is noticed, and its tasks are taken up again, within a minute.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        }

    def client_environment(self) -> dict[str, str]:
        """Return the environment for a command of the user's own: not one of the stack's processes."""
        return {name: value for name, value in self.environment().items() if name != HOME_MARK}

    def start(self) -> None:
        """Leave the four services running and healthy; raise StackError naming one that does not."""
        self.start_services()
        self.wait_until_healthy()

    def start_services(self) -> None:
        """Start what does not run yet, without waiting for it."""
        self.refuse_hindrances()
        leaders = service_leaders(self.settings.home)
        missing = [name for name in SERVICES if name not in leaders]
        if not missing:
            return
        self._write_passwords()
        self.log_file("x").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._migrate()
        for name in missing:
            self._end_orphans(name)
            self._start_service(name)

    def refuse_hindrances(self) -> None:
        """Raise StackError where the API server's port is taken, or the stack already runs on another."""
        api_server = service_leaders(self.settings.home).get("api-server")
        if api_server is None:
            refuse_occupied_port(self.settings.ui_port, "Airflow's pages", "FEEDBACK_UI_PORT")
        else:
            self._refuse_other_port(api_server)

    def wait_until_healthy(self) -> None:
        """Return once every service answers; raise StackError naming one that ended twice or is late."""
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        started_again: set[str] = set()
        while True:
            states = self.states()
            if all(state.is_healthy for state in states):
                return
            ended = [state.name for state in states if state.pid is None]
            late = [state.name for state in states if not state.is_healthy]
            # A service that had lost its database may end just after the database is back.
            for name in set(ended) - started_again:
                self._end_orphans(name)
                self._start_service(name)
            if set(ended) - started_again:
                started_again.update(ended)
                continue
            if ended or time.monotonic() > deadline:
                name = (ended or late)[0]
                reason = (
                    "ended right after its start"
                    if ended
                    else f"is not healthy after {START_PATIENCE_SECONDS:.0f} s"
                )
                raise StackError(
                    f"Airflow's {name} {reason}: {self._last_words(name)} "
                    f"The whole log is in {self.log_file(name)}; `make stop` and `make run` start anew."
                )
            time.sleep(0.25)

    def stop(self) -> None:
        """Stop the services and all they started: asked first, killed after 20 seconds."""
        leaders = service_leaders(self.settings.home)
        # The scheduler goes first, while the API server is there for its tasks to report their end to.
        scheduler = [leaders.pop("scheduler")] if "scheduler" in leaders else []
        end_processes(scheduler, STOP_PATIENCE_SECONDS)
        end_processes(leaders.values(), STOP_PATIENCE_SECONDS)
        end_processes(marked_processes(self.settings.home), STOP_PATIENCE_SECONDS)

    def states(self) -> list[ServiceState]:
        """Return each service's process and whether it has answered since it started."""
        leaders = service_leaders(self.settings.home)
        health = self._health()
        states = []
        for name in SERVICES:
            leader = leaders.get(name)
            if leader is None or not is_alive(leader):
                states.append(ServiceState(name, None, False))
            elif name == "api-server":
                states.append(
                    ServiceState(name, leader.pid, health.get("metadatabase", {}).get("status") == "healthy")
                )
            else:
                states.append(
                    ServiceState(name, leader.pid, _has_beaten_since(leader, HEALTH_KEYS[name], health))
                )
        return states

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    @property
    def _passwords_file(self) -> Path:
        return self.settings.secrets_dir / "ui_passwords.json"

    def _secret(self, name: str, length: int) -> str:
        return ensure_secret(self.settings.secrets_dir, name, self._environ, length)

    def _fernet_key(self) -> str:
        # A Fernet key is 32 random bytes in URL-safe base64 with its padding: 43 characters and "=".
        return self._secret("airflow_fernet_key", 32).rstrip("=") + "="

    def _write_passwords(self) -> None:
        passwords = {user: self.password(user) for user in USERS}
        write_private_file(self._passwords_file, json.dumps(passwords) + "\n")

    def _migrate(self) -> None:
        """Bring Airflow's own tables to its version; costs nothing where they already are."""
        stamp = self.folder / "migrated_to"
        wanted = f"{version('apache-airflow-core')} {self._table_version()}\n"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        result = subprocess.run(
            self.command("db", "migrate"),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        log = self.log_file("migrate")
        log.write_text(result.stdout + result.stderr)
        if result.returncode != 0:
            raise StackError(
                f"Airflow cannot prepare its tables: {_last_words(log)} The whole log is in {log}."
            )
        stamp.write_text(f"{version('apache-airflow-core')} {self._table_version()}\n")

    def _table_version(self) -> str:
        server = EmbeddedPostgres(self.settings.home, self.settings.db_port, self._environ)
        with server.connect(AIRFLOW_ROLE) as connection:
            if connection.execute("select to_regclass('public.alembic_version')").fetchone() == (None,):
                return "none"
            row = connection.execute("select version_num from alembic_version").fetchone()
            return row[0] if row else "none"

    def _start_service(self, name: str) -> None:
        log = self.log_file(name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            subprocess.Popen(
                self.command(*SERVICES[name]),
                env={**self.environment(), SERVICE_MARK: name},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end_orphans(self, name: str) -> None:
        """End what outlived a killed service: its tasks would work beside their own second try."""
        end_processes(marked_processes(self.settings.home, name), STOP_PATIENCE_SECONDS)

    def _refuse_other_port(self, api_server: psutil.Process) -> None:
        running = api_server.environ().get("FEEDBACK_UI_PORT")
        if running != str(self.settings.ui_port):
            raise StackError(
                f"The stack of {self.settings.home} already runs on port {running}, not "
                f"{self.settings.ui_port}: set FEEDBACK_UI_PORT={running}, or `make stop` first."
            )

    def _health(self) -> dict[str, dict[str, str | None]]:
        try:
            answer = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5, trust_env=False)
            return answer.json() if answer.status_code == httpx.codes.OK else {}
        except (httpx.HTTPError, ValueError):
            return {}

    def _last_words(self, service: str) -> str:
        return _last_words(self.log_file(service))


def _has_beaten_since(
    leader: psutil.Process, key: str, health: Mapping[str, Mapping[str, str | None]]
) -> bool:
    from datetime import datetime

    state = health.get(key) or {}
    beat = state.get(f"latest_{key}_heartbeat")
    return (
        state.get("status") == "healthy"
        and beat is not None
        and datetime.fromisoformat(beat).timestamp() >= leader.create_time()
    )


def _last_words(log: Path) -> str:
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        lines = []
    return lines[-1] if lines else "it said nothing."
