"""A check that cannot be evaluated is an error, never a pass, and no value escapes with it."""

from __future__ import annotations

import logging

import pytest

from patient_feedback.checks.outcomes import require_open
from patient_feedback.checks.runner import GateSubject, run_gate
from patient_feedback.errors import CheckDefinitionError, GateError


def _outcome(settings, check_id):
    outcomes = run_gate(settings, "landing", GateSubject("e0"), "run")
    return {one.check_id: one for one in outcomes}[check_id]


@pytest.mark.parametrize(
    ("check_id", "before", "after"),
    [
        ("FB-LND-085", "where has_markup", "where comment_text::int = 1"),
        ("FB-LND-081", "candidate.is_blank::int as", "candidate.comment_text::int as"),
    ],
    ids=["query of rows", "aggregate"],
)
def test_check_that_fails_on_a_value_is_an_error_and_shows_no_value(
    warehouse, land, execute, altered_project, planted_text, caplog, capfd, check_id, before, after
):
    land(warehouse, "e0", 5)
    broken = altered_project(
        warehouse, "landing__candidate_comment", lambda text: text.replace(before, after)
    )
    with caplog.at_level(logging.DEBUG):
        outcome = _outcome(broken, check_id)
    assert outcome.outcome == "error"
    assert outcome.outcome_note == "not evaluated: InvalidTextRepresentation"
    [(recorded,)] = execute(
        warehouse, "select string_agg(to_jsonb(check_result)::text, ' ') from audit.check_result"
    )
    streams = capfd.readouterr()
    for place in (recorded, caplog.text, streams.out, streams.err, repr(outcome)):
        assert planted_text not in place
    # The library logs statements, and the database's message where a connection or a limit ends one.
    assert not [record for record in caplog.records if record.name.startswith("great_expectations")]


def test_batch_that_cannot_be_read_makes_every_check_of_its_suite_an_error(warehouse, land, altered_project):
    land(warehouse, "e0", 5)
    broken = altered_project(
        warehouse,
        "landing__candidate_comment",
        lambda text: text.replace("candidate.is_blank::int as", "candidate.no_such_column as"),
    )
    outcomes = run_gate(broken, "landing", GateSubject("e0"), "run")
    in_error = {one.check_id for one in outcomes if one.outcome == "error"}
    assert in_error >= {"FB-LND-081", "FB-LND-082", "FB-LND-090"}
    assert not {check_id for check_id in in_error if check_id < "FB-LND-080"}


def test_other_checks_of_the_suite_are_judged_beside_one_that_fails(
    warehouse, land, execute, altered_project
):
    land(warehouse, "e0", 5)
    execute(
        warehouse, "update landing.candidate_comment set has_formula_start = true where record_number = 2"
    )
    broken = altered_project(
        warehouse,
        "landing__candidate_comment",
        lambda text: text.replace("where has_markup", "where no_such_column"),
    )
    outcomes = {one.check_id: one.outcome for one in run_gate(broken, "landing", GateSubject("e0"), "run")}
    assert (outcomes["FB-LND-085"], outcomes["FB-LND-086"], outcomes["FB-LND-080"]) == (
        "error",
        "failed",
        "passed",
    )


def test_unknown_expectation_names_file_check_and_type(warehouse, land, altered_project):
    land(warehouse, "e0", 1)
    broken = altered_project(
        warehouse,
        "landing__candidate_answer",
        lambda text: text.replace("expect_column_values_to_be_in_set", "expect_the_unexpected"),
    )
    with pytest.raises(
        CheckDefinitionError,
        match=r"landing__candidate_answer\.yml: check FB-LND-071: .*expect_the_unexpected",
    ):
        run_gate(broken, "landing", GateSubject("e0"), "run")


def test_parameter_that_could_end_its_literal_is_refused(warehouse):
    with pytest.raises(GateError, match="delivery_id"):
        run_gate(warehouse, "landing", GateSubject("x' or true --'"), "run")


def test_missing_parameter_is_named(warehouse):
    with pytest.raises(GateError, match="supported_languages"):
        run_gate(warehouse, "analysis", GateSubject("encoder"), "run")


def test_check_that_was_removed_becomes_inactive(warehouse, land, execute, altered_project):
    land(warehouse, "e0", 1)
    run_gate(warehouse, "landing", GateSubject("e0"), "run")
    without = altered_project(
        warehouse,
        "landing__response",
        lambda text: text.replace("id: FB-LND-063", "id: FB-LND-064"),
    )
    run_gate(without, "landing", GateSubject("e0"), "run")
    rows = execute(
        warehouse,
        "select check_id, is_active from audit.check_definition "
        "where check_id in ('FB-LND-063', 'FB-LND-064') order by check_id",
    )
    assert rows == [("FB-LND-063", False), ("FB-LND-064", True)]


def test_shut_gate_names_its_checks(warehouse, land, execute):
    land(warehouse, "e0", 1)
    execute(warehouse, "update landing.delivery set missing_columns = array['id']")
    outcomes = run_gate(warehouse, "landing", GateSubject("e0"), "run")
    with pytest.raises(GateError, match="FB-LND-002 Every column"):
        require_open(outcomes, "delivery e0")
