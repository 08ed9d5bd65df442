"""The ten questions of the dbt project's README, asked as the analyst asks them: as that role, of what is published."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from patient_feedback.orchestration.marts import publish_marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Role

README = Path(__file__).parents[3] / "dbt_project" / "README.md"
QUESTION = re.compile(
    r"^### (?P<number>\d+)\. [^\n]+\n```sql\n(?P<query>.+?)```\n(?P<reading>.+?)\n\n",
    re.DOTALL | re.MULTILINE,
)
# What people write into seeds: an action in June that was to change every topic, and how many could have answered.
WRITTEN_BY_PEOPLE = """
insert into actions (
    action_slug, organisation_slug, service_slug, measure_slug, topic_slug, taken_on, what_patients_said, what_was_done
)
select distinct
    'rounds', 'trust_1', 'all', measure_slug, topic_slug, date '2021-06-10', 'Nobody came', 'Rounds every hour'
from rpt_measure_signals
where organisation_slug = 'trust_1' and measure_slug in ('topic_share', 'fft_positive_share');
insert into eligible_patients (
    organisation_slug, service_slug, month_start_on, stratum_attribute, stratum, eligible_count, source
)
select distinct organisation_slug, service_slug, period_first_on, stratum_attribute, stratum, 100, 'patient administration'
from rpt_measures
where measure_slug = 'fft_positive_share' and organisation_slug = 'trust_1' and period_first_on is not null
"""


@dataclass(frozen=True)
class Question:
    number: str
    query: str
    reading: str

    @property
    def promised_columns(self) -> set[str]:
        """Names in backticks, where they are not those of a table or a file."""
        return set(re.findall(r"`((?!(?:fct|dim|rpt)_)[a-z_]+)`", self.reading))


QUESTIONS = {
    found["number"]: Question(found["number"], found["query"], found["reading"])
    for found in QUESTION.finditer(README.read_text(encoding="utf-8"))
}


@pytest.fixture(scope="module")
def analyst(
    harmed: Callable[[str], Any], run_dbt: Callable[..., Any]
) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection of the analyst to published marts, with actions and eligible patients that people wrote down."""
    built = harmed(WRITTEN_BY_PEOPLE)
    assert run_dbt(built, "run", "--select", "int_action_points+", "rpt_response_rates").success
    manifest = built.settings.home / "dbt" / "target" / built.slot / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(built.target / "manifest.json", manifest)
    publish_marts(
        built.settings,
        {
            "slot": built.slot,
            "feedback_ledger_id": 0,
            "variables": "{}",
            "built_from": "",
            "seen": "1:1:",
        },
        TaskRun("build_marts", "run", "publish_marts"),
        TaskCounts(),
    )
    with psycopg.connect(built.settings.dsn(Role.ANALYST), row_factory=dict_row) as connection:
        yield connection


def test_readme_has_ten_questions() -> None:
    assert list(QUESTIONS) == [str(number) for number in range(1, 11)]
    assert README.read_text(encoding="utf-8").count("```sql") == 10


@pytest.mark.parametrize("number", QUESTIONS)
def test_question_is_answered_by_one_query_with_the_columns_that_its_reading_names(
    analyst: psycopg.Connection[dict[str, Any]], number: str
) -> None:
    question = QUESTIONS[number]
    assert set(re.findall(r"(?:from|join) ([a-z_]+)\.", question.query)) == {"patient_experience"}
    answer = analyst.execute(question.query).fetchall()
    assert answer, "nothing came back"
    assert question.promised_columns, "the reading names no column"
    assert question.promised_columns <= set(answer[0])
    hollow = {column for column in answer[0] if all(row[column] is None for row in answer)}
    assert hollow == set()


def test_worse_groups_come_before_those_without_a_clear_difference(
    analyst: psycopg.Connection[dict[str, Any]],
) -> None:
    answer = analyst.execute(QUESTIONS["3"].query).fetchall()
    classes = [row["gap_class"] for row in answer]
    assert classes[0] == "worse"
    assert classes == sorted(classes, reverse=True)
    assert {row["comparison_count"] for row in answer} == {len(answer)}


def test_weak_signs_come_last_on_the_worklist_and_closed_entries_not_at_all(
    analyst: psycopg.Connection[dict[str, Any]],
) -> None:
    answer = analyst.execute(QUESTIONS["6"].query).fetchall()
    weak = [row["basis"] == "nearness" for row in answer]
    assert weak == sorted(weak)
    assert any(weak)
    assert {row["status"] for row in answer} == {"open", "acknowledged", None}
    assert {row["reason"].split(":")[0] for row in answer} > {"serious"}


def test_no_number_stands_behind_a_suppressed_cell_and_no_shown_one_rests_on_too_few(
    analyst: psycopg.Connection[dict[str, Any]],
) -> None:
    answer = analyst.execute(QUESTIONS["10"].query).fetchall()
    suppressed = [row for row in answer if row["cell_state"] == "suppressed"]
    shown = [row for row in answer if row["cell_state"] == "value"]
    assert {(row["fewest_responses"], row["number_count"]) for row in suppressed} == {(None, 0)}
    assert shown
    assert all(row["fewest_responses"] >= row["min_responses"] for row in shown)
