"""Deliveries, comments and marts as the earlier stages leave them, made by hand and clean."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres

PLANTED_TEXT = "Nurse Ottoline Quisby forgot my medicine"
TEMPLATE = "warehouse_template"

_warehouse_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def planted_text() -> str:
    """A sentence that stands in every comment and may appear in no result."""
    return PLANTED_TEXT


@pytest.fixture(scope="module")
def shared_warehouse(server: EmbeddedPostgres, project_dir: Path) -> Iterator[Settings]:
    """One migrated warehouse for a module whose tests only read what its fixtures made."""
    name = f"checks_{os.getpid()}_{next(_warehouse_numbers)}"
    server.create_warehouse(name, template=TEMPLATE)
    try:
        yield Settings.from_environment(
            {
                "FEEDBACK_PROJECT_DIR": str(project_dir),
                "FEEDBACK_HOME": str(server.home),
                "FEEDBACK_DB_PORT": str(server.port),
                "FEEDBACK_DB_NAME": name,
            }
        )
    finally:
        server.drop_database(name)


@pytest.fixture(scope="session")
def execute() -> Callable[..., list[tuple]]:
    """Run statements in one committed transaction; return the rows of the last."""

    def run(settings: Settings, *statements: str) -> list[tuple]:
        with psycopg.connect(settings.dsn()) as connection:
            rows: list[tuple] = []
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            return rows

    return run


@pytest.fixture(scope="session")
def land() -> Callable[..., None]:
    """Land a clean delivery: one response, answer and comment for each record."""

    def run(settings: Settings, delivery_id: str, record_count: int, source_slug: str = "") -> None:
        source_slug = source_slug or f"source_{delivery_id}"
        numbers = f"generate_series(1, {record_count}) as number"
        with psycopg.connect(settings.dsn()) as connection:
            for statement in (
                f"""
                insert into landing.delivery (
                    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at,
                    landing_url, declaration_sha256, delivery_state, encoding, is_declared_encoding,
                    column_names, received_count
                )
                values (
                    '{delivery_id}', '{source_slug}', 'feedback_{delivery_id}.csv', '{delivery_id}', 1, now(),
                    'memory://', 'd', 'landed', 'utf-8', true, array['id', 'comment'], {record_count}
                )
                """,
                f"insert into landing.record (delivery_id, record_number, payload) "
                f"select '{delivery_id}', number, '{{}}' from {numbers}",
                f"""
                insert into landing.candidate_record (
                    delivery_id, record_number, source_slug, source_record_ref, response_id, content_sha256
                )
                select '{delivery_id}', number, '{source_slug}', 'ref' || number, 'response' || number, 'c'
                from {numbers}
                """,
                f"""
                insert into landing.candidate_response (
                    delivery_id, record_number, response_id, respondent_id, organisation_slug, service_slug,
                    submitted_text, submitted_on, submitted_on_basis, deprivation_quintile
                )
                select
                    '{delivery_id}', number, 'response' || number, md5(number::text), 'north', 'maternity',
                    '01/03/2024', date '2024-03-01', 'declared', 1 + mod(number, 5)
                from {numbers}
                """,
                f"""
                insert into landing.candidate_answer
                select
                    '{delivery_id}', number, 'response' || number, 'fft', '2020', 'overall_experience',
                    1, '1', 'answered', true
                from {numbers}
                """,
                f"""
                insert into landing.candidate_comment
                select
                    '{delivery_id}', number, 'response' || number, 'comment' || number, 'ref' || number,
                    'what_was_good', 'what_was_good', true, '{PLANTED_TEXT} (' || number || ')', 60,
                    false, false, false, false
                from {numbers}
                """,
                f"""
                insert into landing.candidate_figure (
                    delivery_id, record_number, measure_slug, figure_id, organisation_slug, is_total, period_first_on,
                    period_last_on, value_number, unit, figure_state, is_documented
                )
                select
                    '{delivery_id}', number, measure, number || measure, 'north', false, date '2024-03-01',
                    date '2024-03-31', value, unit, 'published', true
                from {numbers},
                    (values ('fft_response_count', 20, 'count'), ('fft_positive_percent', 75, 'percent'),
                    ('fft_very_good_count', 10, 'count'), ('fft_good_count', 5, 'count'),
                    ('fft_neither_good_nor_poor_count', 1, 'count'), ('fft_poor_count', 1, 'count'),
                    ('fft_very_poor_count', 1, 'count'), ('fft_dont_know_count', 2, 'count'),
                    ('h_comp_1_star_rating', 4, 'stars')) as published (measure, value, unit)
                """,
            ):
                connection.execute(statement)

    return run


@pytest.fixture
def altered_project(project_dir: Path, tmp_path: Path) -> Callable[[Settings, str, str], Settings]:
    """Settings whose project has the same expectations, but for one text in one suite."""
    import dataclasses

    def alter(settings: Settings, suite: str, change: Callable[[str], str]) -> Settings:
        copied = tmp_path / "project"
        shutil.copytree(project_dir / "expectations", copied / "expectations")
        path = copied / "expectations" / "suites" / f"{suite}.yml"
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, "the alteration altered nothing"
        path.write_text(after, encoding="utf-8")
        return dataclasses.replace(settings, project_dir=copied)

    return alter
