"""A real PostgreSQL for the tests: one server per session, one migrated database per test."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.migrate import migrate

PROJECT_DIR = Path(__file__).resolve().parents[1]
TEMPLATE = "warehouse_template"
KEPT_TOGETHER = ("tests/end_to_end", "tests/unit/marts")
"""Folders whose files share what takes longest to make: one process runs all of them, one after the other."""

_database_numbers = itertools.count(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def project_dir() -> Path:
    return PROJECT_DIR


free_port = pytest.fixture(_free_port, name="free_port")
module_port = pytest.fixture(_free_port, scope="module", name="module_port")


def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="feedback-test-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home, ignore_errors=True)


new_home = pytest.fixture(_home, name="new_home")
"""An empty home that the server's unprivileged user can enter, unlike pytest's own folders."""
module_home = pytest.fixture(_home, scope="module", name="module_home")
"""A home for all tests of a module: to make a server in it takes longer than to start one."""


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A running server for the session; its database `warehouse_template` is migrated.

    It does not wait for the disk: hundreds of databases are made in it, and none outlives the session.
    """
    home = Path(tempfile.mkdtemp(prefix="feedback-tests-"))
    home.chmod(0o711)
    started = EmbeddedPostgres(home, _free_port(), environ={})
    started.start()
    try:
        with started.connect() as connection:
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        started.create_warehouse(TEMPLATE)
        migrate(settings_for(started, TEMPLATE))
        yield started
    finally:
        started.stop()
        shutil.rmtree(home, ignore_errors=True)


def settings_for(server: EmbeddedPostgres, database: str, **variables: str) -> Settings:
    return Settings.from_environment(
        {
            "FEEDBACK_PROJECT_DIR": str(PROJECT_DIR),
            "FEEDBACK_HOME": str(server.home),
            "FEEDBACK_DB_PORT": str(server.port),
            "FEEDBACK_DB_NAME": database,
            **variables,
        }
    )


@pytest.fixture
def fresh_warehouse(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a migrated, empty warehouse that belongs to this test alone."""
    name = f"test_{os.getpid()}_{next(_database_numbers)}"
    server.create_warehouse(name, template=TEMPLATE)
    try:
        yield settings_for(server, name, FEEDBACK_LANDING_URL=(tmp_path / "landing").as_uri())
    finally:
        server.drop_database(name)


@pytest.fixture
def warehouse(fresh_warehouse: Settings) -> Settings:
    return fresh_warehouse


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders that stay together first, so that no process waits for another at the end."""
    items.sort(key=lambda item: _folder_kept_together(item.nodeid) is None)


class SharingFolders(LoadFileScheduling):
    """Gives a process one file at a time, but the folders that are kept together whole."""

    def _split_scope(self, nodeid: str) -> str:
        return _folder_kept_together(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return SharingFolders(config, log) if config.option.dist == "loadfile" else None


def _folder_kept_together(nodeid: str) -> str | None:
    return next((folder for folder in KEPT_TOGETHER if nodeid.startswith(f"{folder}/")), None)
