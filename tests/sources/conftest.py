"""What tests of sources share: waiting costs no time, and one warehouse is emptied before each of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from emptying import empty_warehouse
from emulators.server import Emulator

from patient_feedback.settings import Settings
from patient_feedback.sources import http_client
from patient_feedback.stack.postgres import EmbeddedPostgres

PROJECT_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that clients waited between tries."""
    noted: list[float] = []
    monkeypatch.setattr(http_client, "wait_seconds", noted.append)
    return noted


@pytest.fixture(scope="session")
def one_warehouse(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    name = f"test_{os.getpid()}_sources"
    server.create_warehouse(name, template="warehouse_template")
    landing = tmp_path_factory.mktemp("landing")
    try:
        yield Settings.from_environment(
            {
                "FEEDBACK_PROJECT_DIR": str(PROJECT_DIR),
                "FEEDBACK_HOME": str(server.home),
                "FEEDBACK_DB_PORT": str(server.port),
                "FEEDBACK_DB_NAME": name,
                "FEEDBACK_LANDING_URL": landing.as_uri(),
            }
        )
    finally:
        server.drop_database(name)


@pytest.fixture
def warehouse(one_warehouse: Settings) -> Settings:
    """The warehouse, emptied: there are many tests, and each is short. What checks found stays in it for good; a
    test of checks takes `fresh_warehouse`."""
    empty_warehouse(one_warehouse)
    return one_warehouse


@pytest.fixture
def emulator(site: object) -> Iterator[Emulator]:
    """The system of the module's `site`, running."""
    with site.emulator() as running:  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]
