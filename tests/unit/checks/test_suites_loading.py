"""Suites under expectations/ load, and a wrong one says what to put right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from patient_feedback.checks.register import check_register
from patient_feedback.checks.suites import load_checkpoint, load_suites
from patient_feedback.errors import CheckDefinitionError

EXPECTATIONS = Path(__file__).resolve().parents[3] / "expectations"
ANSWERS = "landing__candidate_answer.yml"


@pytest.fixture
def altered(tmp_path):
    """Return the expectations with one text of one file replaced."""

    def alter(before: str, after: str, file: str = f"suites/{ANSWERS}") -> Path:
        folder = tmp_path / "expectations"
        shutil.copytree(EXPECTATIONS, folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert before in text
        (folder / file).write_text(text.replace(before, after, 1), encoding="utf-8")
        return folder

    return alter


def test_register_is_what_the_suites_say():
    written = (EXPECTATIONS / "check_register.md").read_text(encoding="utf-8")
    assert written == check_register(EXPECTATIONS), (
        "run: python -m patient_feedback.checks.register > expectations/check_register.md"
    )


@pytest.mark.parametrize("gate", ["landing", "analysis", "marts"])
def test_gate_runs_every_suite_of_its_name(gate):
    names = {suite.name for suite in load_suites(EXPECTATIONS) if suite.gate == gate}
    assert {step.suite for step, _ in load_checkpoint(EXPECTATIONS, gate)} == names


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "severity: warning",
            "severity: grave",
            r"FB-LND-070: field 'severity'.*'critical', 'warning' or 'info'",
        ),
        ("    owner: patient-experience\n", "", r"check FB-LND-070: field 'owner': is missing"),
        (
            "effect: set_aside_value",
            "effect: stop_publication",
            r"FB-LND-070: field 'effect' is 'stop_publication'",
        ),
        ("id: FB-LND-070", "id: FB-LND-7", r"check FB-LND-7: field 'id' must be FB-LND-<three digits>"),
        ("id: FB-LND-070", "id: FB-LND-080", r"check FB-LND-080: field 'id' is taken"),
        ("    field: answer", "    fields: answer", r"check FB-LND-070: field 'fields': is not known"),
        (
            "{instrument_slug}.{item",
            "{value_code}.{item",
            r"FB-LND-070: field 'field' names value_code; allowed",
        ),
        (
            "select delivery_id, record_number, instrument_slug, item_slug from {batch} where not",
            "select delivery_id, record_number, value_code from {batch} where not",
            r"FB-LND-070: field 'kwargs\.unexpected_rows_query' must start with",
        ),
        ("where not is_documented", "where value_code ~ '[0-9]{2}'", r"FB-LND-070: .* needs \{batch\}"),
        ("where not is_documented", "where value_code = :seven", r"FB-LND-070: .*:seven, not listed"),
        (
            "severity: critical",
            "severity: info",
            r"FB-LND-071: field 'severity' is 'info'; a check that stops",
        ),
        (
            "effect: stop_delivery",
            "effect: set_aside_record",
            r"FB-LND-071: field 'type' must be unexpected_rows",
        ),
        ("parameters: [delivery_id]", "parameters: []", r"field 'batch' uses :delivery_id"),
        ("gate: landing", "gate: marts", r"the file's name must be marts__<table>\.yml"),
        ("checks:", "checks: [", r"is not YAML"),
    ],
)
def test_wrong_suite_names_file_check_field_and_what_is_allowed(altered, before, after, message):
    folder = altered(before, after)
    with pytest.raises(CheckDefinitionError, match=message) as refusal:
        load_suites(folder)
    assert ANSWERS in str(refusal.value)


def test_several_problems_are_listed_at_once(altered):
    folder = altered("severity: warning", "severity: grave")
    path = folder / "suites" / "landing__delivery.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("dimension: validity", "dimension: truth", 1))
    with pytest.raises(CheckDefinitionError) as refusal:
        load_suites(folder)
    assert "FB-LND-070" in str(refusal.value)
    assert "FB-LND-001" in str(refusal.value)


def test_suite_that_no_checkpoint_lists_is_refused(altered):
    folder = altered("  - suite: landing__response\n", "", "checkpoints/landing.yml")
    with pytest.raises(CheckDefinitionError, match=r"landing__response.*would never run"):
        load_checkpoint(folder, "landing")


def test_checkpoint_that_lists_an_unknown_suite_is_refused(altered):
    folder = altered("landing__response", "landing__reply", "checkpoints/landing.yml")
    with pytest.raises(CheckDefinitionError, match=r"landing__reply.*is not one of"):
        load_checkpoint(folder, "landing")
