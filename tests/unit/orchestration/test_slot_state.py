"""When a build may go on from what its slot holds, and when it must not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from patient_feedback.orchestration import slot_state
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

SLOT = "marts_blue"
THEME = """
    insert into analysis.theme (theme_slug, theme_label) values ('waiting', 'Waiting');
    insert into analysis.theme_set (
        theme_set_id, theme_model_version, encoder_version, sample_sha256, sample_count, theme_count,
        assignment_threshold, parameters, is_current
    ) values ('set1', '1', 'encoder-1', 'x1', 100, 3, 0.3, '{}', true)
"""
VARIABLES = {"sentiment_model_version": "sentiment-2"}


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[psycopg.Connection]:
    with connect(warehouse, "test") as connection:
        connection.execute(f"create schema {SLOT}")
        connection.execute(f"create table {SLOT}.fct_responses (response_id text)")
        yield connection
        connection.rollback()


@pytest.fixture
def dbt_project(project_dir: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "dbt_project"
    shutil.copytree(project_dir / "dbt_project", copied, ignore=shutil.ignore_patterns("target", "logs"))
    return copied


def test_slot_that_was_published_is_gone_on_from_once(connection: psycopg.Connection) -> None:
    since, seen = slot_state.take_up(connection, SLOT, "models")
    assert since is None
    slot_state.settle(connection, SLOT, "models", seen)
    assert slot_state.take_up(connection, SLOT, "models")[0] == seen
    # That build failed, or its marts were refused: nobody settled it.
    assert slot_state.take_up(connection, SLOT, "models")[0] is None


def test_slot_of_other_models_or_without_its_tables_is_built_from_nothing(
    connection: psycopg.Connection,
) -> None:
    _, seen = slot_state.take_up(connection, SLOT, "models")
    slot_state.settle(connection, SLOT, "models", seen)
    assert slot_state.take_up(connection, SLOT, "other models")[0] is None
    slot_state.settle(connection, SLOT, "models", seen)
    connection.execute(f"drop schema {SLOT} cascade")
    assert slot_state.take_up(connection, SLOT, "models")[0] is None


def test_slot_that_saw_more_than_this_server_knows_is_built_from_nothing(
    connection: psycopg.Connection,
) -> None:
    slot_state.settle(connection, SLOT, "models", "4000000000:4000000000:")
    assert slot_state.take_up(connection, SLOT, "models")[0] is None


RESPONSES = """
    insert into landing.delivery (
        delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
        declaration_sha256, delivery_state
    ) values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted');
    insert into feedback.response (
        response_id, source_slug, source_record_ref, record_version, submitted_on_basis, received_at, delivery_id
    ) select 'r' || number, 's', 'r', 1, 'declared', now(), 'd' from generate_series(1, 10) as numbers (number)
"""


def test_slot_of_which_most_responses_changed_is_built_from_nothing_but_restored_stamps_are_no_changes(
    connection: psycopg.Connection,
) -> None:
    _, seen = slot_state.take_up(connection, SLOT, "models")
    connection.execute(RESPONSES)
    connection.commit()
    slot_state.settle(connection, SLOT, "models", seen)
    assert slot_state.take_up(connection, SLOT, "models")[0] is None
    connection.execute("update feedback.response_change set changed_in = '4000000000'")
    slot_state.settle(connection, SLOT, "models", seen)
    assert slot_state.take_up(connection, SLOT, "models")[0] == seen


@pytest.mark.parametrize("path", ["models/marts/patient_experience/rpt_measures.sql", "seeds/measures.csv"])
def test_changed_model_and_changed_seed_are_another_base(
    connection: psycopg.Connection, dbt_project: Path, path: str
) -> None:
    before = slot_state.built_from(connection, dbt_project, VARIABLES)
    (dbt_project / "target").mkdir()
    (dbt_project / "target" / "compiled.sql").write_text("select 1")
    assert slot_state.built_from(connection, dbt_project, VARIABLES) == before
    with (dbt_project / path).open("a") as file:
        file.write("\n")
    assert slot_state.built_from(connection, dbt_project, VARIABLES) != before


def test_other_version_of_a_reader_is_another_base(connection: psycopg.Connection, dbt_project: Path) -> None:
    before = slot_state.built_from(connection, dbt_project, VARIABLES)
    assert (
        slot_state.built_from(connection, dbt_project, {"sentiment_model_version": "sentiment-3"}) != before
    )


@pytest.mark.parametrize(
    "decision",
    [
        "update analysis.theme set theme_status = 'approved' where theme_slug = 'waiting'",
        "update analysis.theme_set set is_current = false",
        "insert into analysis.taxonomy_topic (topic_slug, taxonomy_slug, taxonomy_label, topic_label, "
        "topic_description, topic_basis, topic_model_version) "
        "values ('parking', 'own', 'Own', 'Parking', 'Parking', 'zero_shot', 'topics-2')",
    ],
)
def test_decision_on_themes_and_topics_is_another_base(
    connection: psycopg.Connection, dbt_project: Path, decision: str
) -> None:
    connection.execute(THEME)
    before = slot_state.built_from(connection, dbt_project, VARIABLES)
    connection.execute(decision)
    assert slot_state.built_from(connection, dbt_project, VARIABLES) != before
