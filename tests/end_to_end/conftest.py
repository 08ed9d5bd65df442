"""A declared source with a folder of its own, and a warehouse that an undisturbed run has published."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import harbour
import pytest
from run_stages import run_stages

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.connection import connect

_warehouse_numbers = itertools.count(1)


@pytest.fixture
def deliveries(tmp_path: Path) -> Path:
    """The empty folder that the source `harbour_fft` reads; `sources.yml` stands beside it."""
    return harbour.declare(tmp_path)


@dataclass(frozen=True)
class Published:
    """What one undisturbed run has published. Tests read it; one that writes takes a copy."""

    deliveries: Path
    """Holds March and April."""
    environment: dict[str, str]
    rows: dict[str, list[str]]

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)


@pytest.fixture(scope="session")
def published(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A warehouse into which one run has published March and April; it goes with the session's server."""
    name, folder = f"published_{os.getpid()}", tmp_path_factory.mktemp("published")
    deliveries = harbour.declare(folder)
    for month in (3, 4):
        harbour.write_month(deliveries, month)
    server.create_warehouse(name, template="warehouse_template")
    environment = harbour.variables_for(server, name, deliveries, folder)
    settings = Settings.from_environment(environment)
    assert run_stages(settings, "undisturbed")
    with connect(settings, "test") as connection:
        rows = harbour.published_rows(connection)
    assert rows["patient_experience.fct_comments"], "the undisturbed run published no comment"
    return Published(deliveries, environment, rows)


@pytest.fixture
def new_warehouse(
    server: EmbeddedPostgres, published: Published, tmp_path: Path
) -> Iterator[Callable[..., dict[str, str]]]:
    """Make a warehouse that belongs to this test alone, empty or a copy of the published one; return its environment."""
    made = []

    def make(is_copy: bool = False) -> dict[str, str]:
        name = f"end_to_end_{os.getpid()}_{next(_warehouse_numbers)}"
        made.append(name)
        if is_copy:
            server.create_warehouse(name, template=published.environment["FEEDBACK_DB_NAME"])
            return published.environment | {"FEEDBACK_DB_NAME": name}
        server.create_warehouse(name, template="warehouse_template")
        return harbour.variables_for(server, name, published.deliveries, tmp_path / name)

    yield make
    for name in made:
        server.drop_database(name)
