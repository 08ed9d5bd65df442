"""Marts built by dbt, once per session, over a small warehouse whose defects are known."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from patient_feedback.settings import Role, Settings
from patient_feedback.stack.postgres import EmbeddedPostgres

SEED = Path(__file__).with_name("seeded_feedback.sql")
MODEL_VERSIONS = {
    "encoder_version": "encoder-2",
    "sentiment_model_version": "sentiment-2",
    "topic_model_version": "topics-2",
    "serious_detector_version": "serious-2",
    "supported_languages": ["en"],
}
_copy_numbers = itertools.count(1)


@dataclass(frozen=True)
class Marts:
    """A built slot: its database, its schema, and what dbt left about the build."""

    settings: Settings
    slot: str
    target: Path
    results: dict[str, str]
    """Status of each model, seed and test, by its unique name."""
    manifest: dict[str, Any] = field(repr=False)
    """dbt's manifest of the build; later commands write over the one in `target`."""

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query that finds the marts without their schema's name."""
        with psycopg.connect(self.settings.dsn()) as connection:
            connection.execute(f"set search_path = {self.slot}")
            return connection.execute(query, parameters or None).fetchall()


def invoke_dbt(settings: Settings, slot: str, target: Path, *arguments: str, changed_since: str = "") -> Any:
    """Run dbt in this process against a slot; warnings, deprecations among them, are errors."""
    from dbt.cli.main import dbtRunner

    project = str(settings.project_dir / "dbt_project")
    environment = {
        "FEEDBACK_DB_HOST": settings.db_host,
        "FEEDBACK_DB_PORT": str(settings.db_port),
        "FEEDBACK_DB_NAME": settings.db_name,
        "FEEDBACK_SECRET_PIPELINE_PASSWORD": settings.password(Role.PIPELINE),
        "FEEDBACK_MARTS_SLOT": slot,
        "FEEDBACK_CHANGED_SINCE": changed_since,
    }
    with mock.patch.dict(os.environ, environment):
        return dbtRunner().invoke(
            [
                "--warn-error",
                "--quiet",
                "--log-level-file",
                "none",
                *arguments,
                "--project-dir",
                project,
                "--profiles-dir",
                project,
                "--target-path",
                str(target),
                "--log-path",
                str(target / "logs"),
                "--vars",
                json.dumps(MODEL_VERSIONS),
            ]
        )


def new_database(server: EmbeddedPostgres, settings: Settings, template: str) -> Settings:
    """Return the settings of a copy of `template`; it goes with the session's server."""
    name = f"marts_{os.getpid()}_{next(_copy_numbers)}"
    server.create_warehouse(name, template=template)
    return replace(settings, db_name=name)


def _build(settings: Settings, slot: str, target: Path, *options: str) -> Marts:
    outcome = invoke_dbt(settings, slot, target, "build", *options)
    if outcome.exception is not None:
        raise outcome.exception
    results = {result.node.name: str(result.status) for result in outcome.result.results}
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return Marts(settings, slot, target, results, manifest)


@pytest.fixture(scope="session")
def warehouse_settings(server: EmbeddedPostgres, project_dir: Path) -> Settings:
    return Settings.from_environment(
        {
            "FEEDBACK_PROJECT_DIR": str(project_dir),
            "FEEDBACK_HOME": str(server.home),
            "FEEDBACK_DB_PORT": str(server.port),
        }
    )


@pytest.fixture(scope="session")
def seeded_warehouse(server: EmbeddedPostgres, warehouse_settings: Settings) -> Settings:
    settings = new_database(server, warehouse_settings, "warehouse_template")
    with psycopg.connect(settings.dsn()) as connection:
        connection.execute(SEED.read_text(encoding="utf-8"))
        _mention_topics(connection, settings.project_dir)
    return settings


def _mention_topics(connection: psycopg.Connection, project_dir: Path) -> None:
    """Let every scored text mention two topics of the taxonomy."""
    with (project_dir / "dbt_project" / "seeds" / "topics.csv").open(encoding="utf-8", newline="") as file:
        topics = [row["topic_slug"] for row in csv.DictReader(file)]
    connection.execute(
        "insert into analysis.topic_reading "
        "(text_sha256, question_intent, topic_model_version, encoder_version, topic_count) "
        "select text_sha256, question_intent, 'topics-2', 'encoder-2', 2 from analysis.sentiment "
        "where sentiment_model_version = 'sentiment-2'"
    )
    connection.execute(
        "insert into analysis.topic_mention (text_sha256, question_intent, topic_model_version, topic_slug, "
        "topic_confidence) select text_sha256, question_intent, topic_model_version, "
        "(%(topics)s::text[])[1 + (substr(text_sha256, 2)::integer + place) %% %(count)s], 0.7 "
        "from analysis.topic_reading cross join generate_series(0, 1) as places (place)",
        {"topics": topics, "count": len(topics)},
    )


@pytest.fixture(scope="session")
def marts(seeded_warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """Marts and their tests, built in marts_blue over the seeded warehouse."""
    return _build(seeded_warehouse, "marts_blue", tmp_path_factory.mktemp("dbt_blue"))


@pytest.fixture(scope="session")
def marts_of_the_other_slot(marts: Marts, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """The same marts, built again in marts_green."""
    without_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    return _build(marts.settings, "marts_green", tmp_path_factory.mktemp("dbt_green"), *without_tests)


@pytest.fixture(scope="session")
def harmed(server: EmbeddedPostgres, marts: Marts) -> Callable[[str], Marts]:
    """Apply statements to a copy of the built marts, which belongs to the caller alone."""

    def apply(statements: str) -> Marts:
        settings = new_database(server, marts.settings, marts.settings.db_name)
        with psycopg.connect(settings.dsn()) as connection:
            connection.execute(f"set search_path = {marts.slot}")
            connection.execute(statements)
        return replace(marts, settings=settings)

    return apply


@pytest.fixture(scope="session")
def run_dbt(marts: Marts) -> Callable[..., Any]:
    """Run a dbt command against built marts."""

    def run(built: Marts, *arguments: str, changed_since: str = "") -> Any:
        return invoke_dbt(built.settings, built.slot, built.target, *arguments, changed_since=changed_since)

    return run


@pytest.fixture(scope="session")
def compiled(seeded_warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Compile a call of a macro."""
    target = tmp_path_factory.mktemp("dbt_inline")

    def compile_call(call: str) -> str:
        outcome = invoke_dbt(
            seeded_warehouse, "marts_blue", target, "compile", "--inline", f"{{{{ {call} }}}}"
        )
        if outcome.exception is not None:
            raise outcome.exception
        return str(outcome.result.results[0].node.compiled_code)

    return compile_call


@pytest.fixture(scope="session")
def compiled_suppression(compiled: Callable[[str], str]) -> Callable[[str, int, list[str]], str]:
    """Compile the suppression rule for a relation, a minimum and numerators."""

    def compile_rule(relation: str, minimum: int, numerators: list[str]) -> str:
        return compiled(
            f"suppressed_cells('{relation}', {json.dumps(numerators)}, 'response_count', {minimum})"
        )

    return compile_rule
