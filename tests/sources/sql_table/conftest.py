"""One warehouse for all tests of the folder, emptied before each: there are many, and each is short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from emptying import empty_warehouse

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres

PROJECT_DIR = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def one_warehouse(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    name = f"test_{os.getpid()}_sql_table"
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
    empty_warehouse(one_warehouse)
    return one_warehouse
