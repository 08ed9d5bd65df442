"""Outcomes of a real dbt run end in the audit trail beside those of Great Expectations."""

from __future__ import annotations

import psycopg
import pytest

from patient_feedback.checks.dbt_results import record_dbt_results
from patient_feedback.errors import CheckDefinitionError
from patient_feedback.settings import Role

PROJECT = """
name: tiny
version: "1.0"
profile: tiny
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """
tiny:
  target: now
  outputs:
    now:
      type: postgres
      host: "{host}"
      port: {port}
      user: pipeline
      password: "{password}"
      dbname: "{name}"
      schema: marts_blue
      threads: 1
"""
MODEL = "select 'c1' as comment_id, '{text}' as comment_text union all select null, 'more'"
SCHEMA = """
models:
  - name: fct_words
    columns:
      - name: comment_id
        data_tests:
          - not_null:
              config: {severity: warn}
          - unique:
              config:
                meta: {check_id: FB-DBT-001, title: A comment is there once, severity: critical,
                       dimension: uniqueness, owner: analysts, why: Counted twice is counted wrongly.}
      - name: comment_text
        data_tests:
          - accepted_values:
              arguments: {values: [more]}
unit_tests:
  - name: words_are_kept
    model: fct_words
    given: []
    expect:
      rows:
        - {comment_id: c2}
"""
BROKEN_TEST = "select comment_text::int from {{ ref('fct_words') }} where comment_text::int > 1"


@pytest.fixture(scope="module")
def dbt_target(shared_warehouse, tmp_path_factory, planted_text):
    """Run a small project whose tests pass, warn, fail and break."""
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "models").mkdir()
    (folder / "tests").mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(
        PROFILE.format(
            host=shared_warehouse.db_host,
            port=shared_warehouse.db_port,
            password=shared_warehouse.password(Role.PIPELINE),
            name=shared_warehouse.db_name,
        )
    )
    (folder / "models" / "fct_words.sql").write_text(MODEL.format(text=planted_text))
    (folder / "models" / "schema.yml").write_text(SCHEMA)
    (folder / "tests" / "assert_words_are_numbers.sql").write_text(BROKEN_TEST)
    arguments = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet", "--no-partial-parse"]
    dbtRunner().invoke(["run", *arguments])
    dbtRunner().invoke(["test", *arguments])
    return folder / "target"


@pytest.fixture(scope="module")
def outcomes(shared_warehouse, dbt_target):
    with psycopg.connect(shared_warehouse.dsn()) as connection:
        recorded = record_dbt_results(
            connection, dbt_target / "run_results.json", dbt_target / "manifest.json", "run", "marts_blue"
        )
    return {one.check_id: one for one in recorded}


def test_each_status_of_a_test_becomes_its_outcome(outcomes):
    assert {check_id: (one.outcome, one.effect, one.severity) for check_id, one in outcomes.items()} == {
        "FB-DBT-001": ("passed", "stop_publication", "critical"),
        "FB-DBT-not_null_fct_words_comment_id": ("failed", "report", "warning"),
        "FB-DBT-accepted_values_fct_words_comment_text__more": ("failed", "stop_publication", "critical"),
        "FB-DBT-assert_words_are_numbers": ("error", "stop_publication", "critical"),
        "FB-DBT-fct_words.words_are_kept": ("failed", "stop_publication", "critical"),
    }
    assert outcomes["FB-DBT-not_null_fct_words_comment_id"].unexpected_count == 1


def test_results_and_definitions_stand_in_the_trail_without_text(
    shared_warehouse, outcomes, execute, planted_text
):
    rows = execute(
        shared_warehouse,
        """
        select check_id, tool, gate, checked_subject, outcome_note, checked_table, title, definition.owner,
            to_jsonb(check_result)::text
        from audit.check_result inner join audit.check_definition as definition using (check_id, tool, gate)
        """,
    )
    assert len(rows) == len(outcomes)
    assert {row[1:4] for row in rows} == {("dbt", "marts", "marts_blue")}
    by_id = {row[0]: row for row in rows}
    assert by_id["FB-DBT-001"][5:8] == ("fct_words", "A comment is there once", "analysts")
    assert by_id["FB-DBT-assert_words_are_numbers"][4] == "not evaluated: error"
    assert not any(planted_text in row[8] for row in rows)


def test_two_tests_with_one_id_are_refused_with_both_names(shared_warehouse, dbt_target, tmp_path):
    manifest = (dbt_target / "manifest.json").read_text()
    altered = manifest.replace(
        '"severity": "warn"', '"meta": {"check_id": "FB-DBT-001"}, "severity": "warn"', 1
    )
    assert altered != manifest
    (tmp_path / "manifest.json").write_text(altered)
    with psycopg.connect(shared_warehouse.dsn()) as connection:
        with pytest.raises(
            CheckDefinitionError, match=r"FB-DBT-001 \(.*not_null.*unique|FB-DBT-001 \(.*unique"
        ):
            record_dbt_results(
                connection, dbt_target / "run_results.json", tmp_path / "manifest.json", "run", "marts_blue"
            )


def test_missing_results_say_that_dbt_ended_early(shared_warehouse, tmp_path):
    with psycopg.connect(shared_warehouse.dsn()) as connection:
        with pytest.raises(CheckDefinitionError, match="dbt ended before"):
            record_dbt_results(
                connection, tmp_path / "run_results.json", tmp_path / "manifest.json", "run", "marts_blue"
            )
