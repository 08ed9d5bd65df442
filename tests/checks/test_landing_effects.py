"""The landing gate sets aside the smallest thing that is wrong, and respects what people decided."""

from __future__ import annotations

import psycopg
import pytest

from patient_feedback.checks.effects import EffectCounts, apply_landing_effects
from patient_feedback.checks.runner import GateSubject, run_gate
from patient_feedback.contract import stable_id
from patient_feedback.errors import GateError
from patient_feedback.settings import Settings

DELIVERY = "de11"

LONG_COMMENT = "update landing.candidate_comment set comment_length = 5000000 where record_number = 2"
UNDOCUMENTED_CODE = (
    "update landing.candidate_answer set is_documented = false, value_code = '7', value_number = null "
    "where record_number = 3"
)
TOO_WIDE = "update landing.record set defects = array['too_many_columns'] where record_number = 4"
UNREADABLE_DATE = (
    "update landing.candidate_response set submitted_on = null, submitted_text = 'soon' "
    "where record_number = 5"
)
MISSING_COLUMN = "update landing.delivery set missing_columns = array['comment']"


def _judge(settings: Settings, run_id: str = "run") -> EffectCounts:
    outcomes = run_gate(settings, "landing", GateSubject(DELIVERY), run_id)
    with psycopg.connect(settings.dsn()) as connection:
        return apply_landing_effects(connection, DELIVERY, outcomes, run_id)


@pytest.fixture
def set_aside(execute):
    def read(settings: Settings) -> list[tuple]:
        return execute(
            settings,
            "select set_aside_level, record_number, check_id, field_name from landing.set_aside "
            "where set_aside_state = 'set_aside' order by set_aside_level, record_number, check_id",
        )

    return read


@pytest.fixture
def states(execute):
    def read(settings: Settings) -> dict[int, str]:
        return dict(execute(settings, "select record_number, record_state from landing.record"))

    return read


def test_each_defect_sets_aside_the_smallest_thing_that_is_wrong(warehouse, land, execute, set_aside, states):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, LONG_COMMENT, UNDOCUMENTED_CODE, TOO_WIDE, UNREADABLE_DATE)
    counts = _judge(warehouse)
    assert set_aside(warehouse) == [
        ("record", 4, "FB-LND-022", None),
        ("value", 2, "FB-LND-082", "comment.what_was_good"),
        ("value", 3, "FB-LND-070", "answer.fft.overall_experience"),
        ("value", 5, "FB-LND-040", "submitted_on"),
    ]
    assert states(warehouse) == {
        1: "pending",
        2: "pending",
        3: "pending",
        4: "set_aside",
        5: "pending",
        6: "pending",
    }
    assert counts == EffectCounts(False, 1, 3, 0)
    assert execute(warehouse, "select delivery_state from landing.delivery") == [("landed",)]


def test_clean_delivery_sets_nothing_aside(warehouse, land, set_aside):
    land(warehouse, DELIVERY, 3)
    assert _judge(warehouse) == EffectCounts(False, 0, 0, 0)
    assert set_aside(warehouse) == []


def test_gate_run_again_changes_nothing_but_the_trail(warehouse, land, execute):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, LONG_COMMENT, UNDOCUMENTED_CODE, TOO_WIDE)
    _judge(warehouse, "first")
    before = execute(warehouse, "select * from landing.set_aside order by set_aside_id")
    _judge(warehouse, "second")
    assert execute(warehouse, "select * from landing.set_aside order by set_aside_id") == before
    assert execute(warehouse, "select count(distinct run_id) from audit.check_result") == [(2,)]


def test_defect_that_was_mended_is_set_aside_no_longer(warehouse, land, execute, set_aside, states):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    _judge(warehouse)
    execute(warehouse, "update landing.record set defects = '{}'")
    _judge(warehouse)
    assert set_aside(warehouse) == []
    assert set(states(warehouse).values()) == {"pending"}


@pytest.mark.parametrize("decision", ["released", "waived"])
def test_released_or_waived_record_is_not_set_aside_again(
    warehouse, land, execute, set_aside, states, decision
):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    _judge(warehouse)
    execute(
        warehouse,
        f"update landing.set_aside set set_aside_state = '{decision}', decided_by = 'auditor', "
        "decision_reason = 'read by eye', decided_at = now()",
    )
    counts = _judge(warehouse, "later")
    assert (counts.set_aside_record_count, counts.released_or_waived_count) == (0, 1)
    assert states(warehouse)[4] == "pending"
    assert execute(warehouse, "select set_aside_state, decided_by from landing.set_aside") == [
        (decision, "auditor")
    ]


@pytest.mark.parametrize("given", ["decided_by = 'auditor'", "decision_reason = 'read by eye'"])
def test_decision_without_who_or_why_is_refused(warehouse, land, execute, given):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    _judge(warehouse)
    with pytest.raises(psycopg.errors.RaiseException, match="needs who and why"):
        execute(warehouse, f"update landing.set_aside set set_aside_state = 'released', {given}")


def test_decision_is_an_entry_of_the_ledger_with_its_person(warehouse, land, execute):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    _judge(warehouse)
    execute(
        warehouse,
        "update landing.set_aside set set_aside_state = 'released', decided_by = 'Ada', decision_reason = 'seen'",
    )
    assert execute(
        warehouse,
        "select action, actor, details ->> 'check_id', decided_at is not null from audit.ledger "
        "join landing.set_aside on subject = set_aside_id",
    ) == [("set_aside_released", "Ada", "FB-LND-022", True)]


def test_decision_is_kept_after_the_defect_was_mended(warehouse, land, execute):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    _judge(warehouse)
    execute(
        warehouse,
        "update landing.set_aside set set_aside_state = 'released', decided_by = 'auditor', "
        "decision_reason = 'read by eye'",
        "update landing.record set defects = '{}'",
    )
    _judge(warehouse)
    assert execute(warehouse, "select set_aside_state from landing.set_aside") == [("released",)]


def test_record_released_for_one_check_stays_back_for_another(warehouse, land, execute, states):
    land(warehouse, DELIVERY, 6)
    execute(
        warehouse,
        TOO_WIDE,
        "update landing.candidate_record set source_record_ref = '' where record_number = 4",
    )
    _judge(warehouse)
    execute(
        warehouse,
        "update landing.set_aside set set_aside_state = 'released', decided_by = 'auditor', "
        "decision_reason = 'read by eye' where check_id = 'FB-LND-022'",
    )
    _judge(warehouse)
    assert states(warehouse)[4] == "set_aside"


def test_broken_delivery_is_refused_whole_with_its_reason(warehouse, land, execute, set_aside, states):
    land(warehouse, DELIVERY, 3)
    execute(warehouse, MISSING_COLUMN)
    assert _judge(warehouse).is_refused
    assert set_aside(warehouse) == [("delivery", None, "FB-LND-002", None)]
    assert set(states(warehouse).values()) == {"set_aside"}
    [(state, reason, is_decided)] = execute(
        warehouse, "select delivery_state, refusal_reason, decided_at is not null from landing.delivery"
    )
    assert (state, is_decided) == ("refused", True)
    assert reason == "FB-LND-002 Every column that the declaration reads is in the file"


def test_refusal_is_taken_back_once_it_is_waived(warehouse, land, execute, states):
    land(warehouse, DELIVERY, 3)
    execute(warehouse, MISSING_COLUMN)
    _judge(warehouse)
    execute(
        warehouse,
        "update landing.set_aside set set_aside_state = 'waived', decided_by = 'auditor', "
        "decision_reason = 'an old export'",
    )
    assert not _judge(warehouse).is_refused
    assert set(states(warehouse).values()) == {"pending"}
    assert execute(warehouse, "select delivery_state, refusal_reason from landing.delivery") == [
        ("landed", None)
    ]


def test_refused_delivery_judged_again_stays_refused_for_the_same_reason(warehouse, land, execute):
    land(warehouse, DELIVERY, 3)
    execute(warehouse, MISSING_COLUMN)
    _judge(warehouse)
    before = execute(warehouse, "select refusal_reason, decided_at from landing.delivery")
    _judge(warehouse)
    assert execute(warehouse, "select refusal_reason, decided_at from landing.delivery") == before


def test_unreadable_file_keeps_the_readers_reason(warehouse, land, execute, set_aside):
    land(warehouse, DELIVERY, 0)
    execute(
        warehouse,
        "update landing.delivery set delivery_state = 'refused', refusal_reason = 'The file holds no byte.'",
    )
    assert _judge(warehouse).is_refused
    assert set_aside(warehouse) == [("delivery", None, "FB-LND-001", None)]
    assert execute(warehouse, "select refusal_reason from landing.delivery") == [("The file holds no byte.",)]


def test_accepted_records_keep_their_state_until_they_are_accepted_anew(warehouse, land, execute, states):
    land(warehouse, DELIVERY, 6)
    execute(
        warehouse, TOO_WIDE, "update landing.record set record_state = 'accepted' where record_number <= 4"
    )
    _judge(warehouse)
    assert states(warehouse)[4] == "accepted"


def test_rows_of_a_check_that_passes_by_tolerance_are_still_set_aside(warehouse, land, execute, set_aside):
    """Set aside by what was found, not by the verdict: here a value in an otherwise passing delivery."""
    land(warehouse, DELIVERY, 40)
    execute(warehouse, UNREADABLE_DATE)
    outcomes = {one.check_id: one for one in run_gate(warehouse, "landing", GateSubject(DELIVERY), "run")}
    assert outcomes["FB-LND-052"].outcome == "passed"
    assert outcomes["FB-LND-052"].unexpected_count == 1
    with psycopg.connect(warehouse.dsn()) as connection:
        apply_landing_effects(connection, DELIVERY, outcomes.values(), "run")
    assert set_aside(warehouse) == [("value", 5, "FB-LND-040", "submitted_on")]


def test_id_of_a_set_aside_row_is_the_hash_of_what_it_names(warehouse, land, execute):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, UNDOCUMENTED_CODE)
    _judge(warehouse)
    assert execute(warehouse, "select set_aside_id from landing.set_aside") == [
        (stable_id(DELIVERY, "3", "value", "FB-LND-070", "answer.fft.overall_experience"),)
    ]


def test_check_that_raised_an_error_lets_nothing_pass(warehouse, land, execute, altered_project, states):
    land(warehouse, DELIVERY, 6)
    execute(warehouse, TOO_WIDE)
    broken = altered_project(
        warehouse,
        "landing__candidate_comment",
        lambda text: text.replace("where comment_length > 20000", "where comment_text::int > 20000"),
    )
    outcomes = run_gate(broken, "landing", GateSubject(DELIVERY), "run")
    with psycopg.connect(warehouse.dsn()) as connection:
        with pytest.raises(GateError, match="FB-LND-082"):
            apply_landing_effects(connection, DELIVERY, outcomes, "run")
    assert execute(warehouse, "select count(*) from landing.set_aside") == [(0,)]
    assert set(states(warehouse).values()) == {"pending"}


def test_unknown_delivery_is_said_to_be_unknown(warehouse):
    with psycopg.connect(warehouse.dsn()) as connection:
        with pytest.raises(GateError, match="no delivery nowhere"):
            apply_landing_effects(connection, "nowhere", [], "run")
