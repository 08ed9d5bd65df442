"""Every check of the landing gate finds what it is there for, and nothing in a clean delivery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from patient_feedback.checks.outcomes import CheckOutcome
from patient_feedback.checks.runner import GateSubject, run_gate
from patient_feedback.checks.suites import load_checkpoint

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
LANDING_CHECKS = sorted(
    check.id for _, suite in load_checkpoint(EXPECTATIONS, "landing") for check in suite.checks
)
WIDTH = 8
"""Records that belong to one case alone."""


@dataclass(frozen=True)
class Defect:
    """A defect in a delivery that is clean otherwise; {n} is the first of the case's own records."""

    plant: str
    found: tuple[int, ...] = (0,)
    """Which records the check must find, counted from {n}; for checks that count, how many."""


def of_record(assignment: str, *where: str) -> Defect:
    return Defect(f"update landing.record set {assignment} where {{these}}")


def of(table: str, assignment: str, found: tuple[int, ...] = (0,)) -> Defect:
    return Defect(f"update landing.candidate_{table} set {assignment} where {{these}}", found)


def of_pair(table: str, assignment: str, found: tuple[int, ...]) -> Defect:
    return Defect(f"update landing.candidate_{table} set {assignment} where {{pair}}", found)


def of_star(assignment: str) -> Defect:
    """Of one of the figures of a record."""
    return Defect(
        f"update landing.candidate_figure set {assignment} where {{these}} and measure_slug = 'h_comp_1_star_rating'"
    )


DEFECTIVE_RECORDS = {
    "FB-LND-020": Defect("delete from landing.candidate_record where {these}"),
    "FB-LND-022": of_record("defects = array['too_many_columns']"),
    "FB-LND-023": of_record("defects = array['too_few_columns']"),
    "FB-LND-024": of_record("defects = array['unreadable_line']"),
    "FB-LND-025": of_record("defects = array['nul_byte']"),
    "FB-LND-026": of_record("defects = array['nul_byte', 'torn_page']"),
    "FB-LND-027": of("record", "source_record_ref = ' '"),
    "FB-LND-028": Defect(
        "update landing.candidate_record set response_id = null where {these};"
        "delete from landing.candidate_figure where {these}"
    ),
    "FB-LND-029": of("record", "is_repeated_in_delivery = true"),
    "FB-LND-030": of_pair("record", "is_conflicting_in_delivery = true, source_record_ref = 'same'", (1,)),
    "FB-LND-031": of("record", "is_already_accepted = true"),
    "FB-LND-032": of("record", "is_older_than_accepted = true"),
    "FB-LND-033": of("record", "has_question_spelling_variant = true"),
    "FB-LND-034": of_record("defects = array['lost_leading_zero']"),
    "FB-LND-035": of_record("defects = array['damaged_identifier']"),
    "FB-LND-036": of("record", "defects = array['overlong_reference'], source_record_ref = null"),
    "FB-LND-037": of_record("defects = array['undecodable_byte']"),
    "FB-LND-040": of("response", "submitted_text = 'last week', submitted_on = null"),
    "FB-LND-041": of("response", "submitted_text = ' ', submitted_on = null"),
    "FB-LND-042": of("response", "submitted_on = current_date + 3"),
    "FB-LND-043": of("response", "submitted_on = date '1989-12-31'"),
    "FB-LND-044": of("response", "submitted_on_basis = 'alternative_format'"),
    "FB-LND-045": of("response", "organisation_slug = null"),
    "FB-LND-046": of("response", "service_slug = null"),
    "FB-LND-047": of("response", "has_untidy_space = true"),
    "FB-LND-048": of("response", "has_formula_error = true"),
    "FB-LND-049": of("response", "unmapped_fields = array['age_band']"),
    "FB-LND-050": of("response", "deprivation_quintile = 7"),
    "FB-LND-051": of("response", "respondent_id = 'A. Patient'"),
    "FB-LND-053": of_pair(
        "response",
        "service_slug = 'ward_1', service_name = (array['Ward 1+', 'Ward 1-'])[1 + mod(record_number, 2)]",
        (0, 1),
    ),
    "FB-LND-060": of_pair("response", "response_id = 'swapped', is_submitted_on_conflicting = true", (0,)),
    "FB-LND-061": of("response", "is_submitted_on_doubtful = true"),
    "FB-LND-062": of_pair(
        "response",
        "response_id = 'two dates', submitted_on = date '2024-03-01' + mod(record_number, 2)",
        (0,),
    ),
    "FB-LND-063": of_pair("response", "response_id = 'two places', is_response_inconsistent = true", (0,)),
    "FB-LND-070": of("answer", "is_documented = false, value_code = '7', value_number = null"),
    "FB-LND-071": of("answer", "answer_state = 'perhaps', value_code = null, value_number = null"),
    "FB-LND-072": of_pair(
        "answer",
        "value_number = null, value_code = case when mod(record_number, 2) = 0 then '1' end, "
        "answer_state = case when mod(record_number, 2) = 0 then 'missing' else 'answered' end",
        (0, 1),
    ),
    "FB-LND-073": of("answer", "is_inconsistent = true"),
    "FB-LND-080": of("comment", "is_blank = true, comment_text = ''"),
    "FB-LND-082": of("comment", "comment_length = 20001"),
    "FB-LND-083": of_pair(
        "comment", "comment_text = (array['#REF!', ' #DIV/0! '])[1 + mod(record_number, 2)]", (0, 1)
    ),
    "FB-LND-084": of("comment", "has_control_character = true"),
    "FB-LND-085": of("comment", "has_markup = true"),
    "FB-LND-086": of("comment", "has_formula_start = true"),
    "FB-LND-087": of_pair(
        "comment",
        "comment_text = (array['It wasnâ€™t clean', 'The cafÃ© was closed'])[1 + mod(record_number, 2)]",
        (0, 1),
    ),
    "FB-LND-088": of("comment", "is_question_declared = false"),
    "FB-LND-089": of_pair("comment", "comment_id = 'same'", (1,)),
    "FB-LND-090": Defect(
        "update landing.candidate_comment set comment_text = repeat('sincere ', 8) "
        "where delivery_id = '{delivery}' and record_number between {n} and {n} + 5",
        (0, 1, 2, 3, 4, 5),
    ),
    "FB-LND-100": of_star("organisation_slug = null"),
    "FB-LND-101": Defect(
        "update landing.candidate_figure set period_first_on = (array[null, date '2024-04-01', current_date + 3])"
        "[1 + record_number - {n}], period_last_on = (array[date '2024-03-31', date '2024-03-31', current_date + 9])"
        "[1 + record_number - {n}] where delivery_id = '{delivery}' and record_number between {n} and {n} + 2 "
        "and measure_slug = 'h_comp_1_star_rating'",
        (0, 1, 2),
    ),
    "FB-LND-102": of_star("is_documented = false, value_number = null"),
    "FB-LND-103": Defect(
        "update landing.candidate_figure set unit = (array['stars', 'percent', 'percent', 'count', 'count', 'score'])"
        "[1 + record_number - {n}], value_number = (array[0, 740, -1, 0.5, -2, -9])[1 + record_number - {n}] "
        "where delivery_id = '{delivery}' and record_number between {n} and {n} + 5 "
        "and measure_slug = 'h_comp_1_star_rating'",
        (0, 1, 2, 3, 4),
    ),
    # Of the second, a part is withheld: nothing can be said of its sum.
    "FB-LND-105": Defect(
        "update landing.candidate_figure set value_number = case when record_number = {n} then 3 end "
        "where {pair} and measure_slug = 'fft_dont_know_count'"
    ),
    "FB-LND-106": Defect(
        "update landing.candidate_figure set value_number = case when record_number = {n} then 0.75 else 75.9 end "
        "where {pair} and measure_slug = 'fft_positive_percent'"
    ),
}

EVERY = "delivery_id = '{delivery}'"
DELIVERY_DEFECTS = {
    "FB-LND-001": (
        "delete from landing.record where " + EVERY,
        "update landing.delivery set delivery_state = 'refused', refusal_reason = 'The file is empty.', "
        "received_count = 0 where " + EVERY,
    ),
    "FB-LND-002": ("update landing.delivery set missing_columns = array['comment'] where " + EVERY,),
    "FB-LND-003": (
        "delete from landing.record where " + EVERY,
        "update landing.delivery set received_count = 0 where " + EVERY,
    ),
    "FB-LND-004": ("update landing.delivery set received_count = received_count + 1 where " + EVERY,),
    "FB-LND-005": ("update landing.delivery set is_declared_encoding = false where " + EVERY,),
    "FB-LND-006": ("update landing.delivery set unknown_columns = array['mood'] where " + EVERY,),
    "FB-LND-007": (
        "update landing.delivery set column_names = array['id', 'words', 'words (2)'] where " + EVERY,
    ),
    "FB-LND-008": tuple(
        "insert into landing.delivery select (jsonb_populate_record(delivery, jsonb_build_object("
        f"'delivery_id', delivery_id || 'e{number}', 'file_sha256', delivery_id || 'e{number}', "
        f"'file_name', 'e{number}', 'received_count', 1000, 'delivery_state', 'accepted', "
        "'landed_at', landed_at - interval '1 day'))).* from landing.delivery where " + EVERY
        for number in range(3)
    ),
    "FB-LND-010": ("update landing.delivery set source_count = 12, extracted_count = 10 where " + EVERY,),
    "FB-LND-009": (
        "insert into landing.delivery select (jsonb_populate_record(delivery, jsonb_build_object("
        "'delivery_id', delivery_id || 'e', 'file_sha256', delivery_id || 'e', "
        "'landed_at', landed_at - interval '1 day'))).* from landing.delivery where " + EVERY,
    ),
    "FB-LND-021": (
        "update landing.record set defects = array['too_many_columns'] where record_number > 10 and " + EVERY,
    ),
    "FB-LND-052": (
        "update landing.candidate_response set submitted_on = null, submitted_text = '' "
        "where mod(record_number, 4) = 0 and " + EVERY,
    ),
    "FB-LND-074": (
        "update landing.candidate_answer "
        "set answer_state = 'missing', value_code = null, value_number = null "
        "where record_number > 10 and " + EVERY,
    ),
    "FB-LND-081": (
        "update landing.candidate_comment set is_blank = true where record_number > 8 and " + EVERY,
    ),
}
# A country's total, and beside it one that leaves a sector out: the larger one is the sum of all rows.
DELIVERY_DEFECTS |= {
    "FB-LND-104": (
        "update landing.candidate_figure set figure_state = 'not_available', value_number = null "
        "where measure_slug not in ('fft_response_count', 'fft_positive_percent', 'fft_good_count') and "
        + EVERY,
    ),
    "FB-LND-107": tuple(
        "insert into landing.candidate_figure select (jsonb_populate_record(figure, jsonb_build_object("
        f"'record_number', {number}, 'is_total', true, 'value_number', {total}))).* "
        "from landing.candidate_figure as figure "
        "where record_number = 1 and measure_slug = 'fft_response_count' and " + EVERY
        for number, total in ((1001, 21), (1002, 15))
    ),
}
DEFECTIVE_DELIVERIES = (
    # Alone, since the gate ends there or the delivery has no record left.
    ("FB-LND-001",),
    ("FB-LND-002",),
    ("FB-LND-003",),
    ("FB-LND-004",),
    ("FB-LND-021",),
    (
        "FB-LND-005",
        "FB-LND-006",
        "FB-LND-007",
        "FB-LND-008",
        "FB-LND-009",
        "FB-LND-010",
        "FB-LND-052",
        "FB-LND-074",
        "FB-LND-081",
        "FB-LND-104",
        "FB-LND-107",
    ),
)


def _first_record(check_id: str) -> int:
    return 2 + WIDTH * sorted(DEFECTIVE_RECORDS).index(check_id)


@pytest.fixture(scope="module")
def clean_outcomes(shared_warehouse, land) -> dict[str, CheckOutcome]:
    land(shared_warehouse, "c1ea", 40)
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("c1ea"), "run")
    return {outcome.check_id: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def defective_outcomes(shared_warehouse, land, execute) -> dict[str, CheckOutcome]:
    """One delivery in which every case has its own records."""
    land(shared_warehouse, "bad", 2 + WIDTH * len(DEFECTIVE_RECORDS))
    statements = []
    for check_id, defect in DEFECTIVE_RECORDS.items():
        n = _first_record(check_id)
        statements.append(
            defect.plant.format(
                n=n,
                delivery="bad",
                these=f"delivery_id = 'bad' and record_number = {n}",
                pair=f"delivery_id = 'bad' and record_number in ({n}, {n + 1})",
            )
        )
    execute(shared_warehouse, *statements)
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("bad"), "run")
    return {outcome.check_id: outcome for outcome in outcomes}


def test_every_landing_check_has_a_defect_that_it_must_find():
    of_deliveries = [check_id for check_ids in DEFECTIVE_DELIVERIES for check_id in check_ids]
    assert sorted([*DEFECTIVE_RECORDS, *of_deliveries]) == LANDING_CHECKS


@pytest.mark.parametrize("check_id", LANDING_CHECKS)
def test_clean_delivery_passes_every_check(clean_outcomes, check_id):
    outcome = clean_outcomes[check_id]
    assert (outcome.outcome, outcome.unexpected_count or 0) == ("passed", 0)


@pytest.mark.parametrize("check_id", sorted(DEFECTIVE_RECORDS))
def test_planted_record_is_found(shared_warehouse, defective_outcomes, check_id):
    outcome, n = defective_outcomes[check_id], _first_record(check_id)
    own = {n + offset for offset in range(WIDTH)}
    assert outcome.outcome == "failed"
    if outcome.unexpected_rows_sql is None:
        assert outcome.unexpected_count == len(DEFECTIVE_RECORDS[check_id].found)
        return
    with psycopg.connect(shared_warehouse.dsn()) as connection:
        found = [row[1] for row in connection.execute(outcome.unexpected_rows_sql)]
    assert len(found) == outcome.unexpected_count
    assert set(found) & own == {n + offset for offset in DEFECTIVE_RECORDS[check_id].found}


@pytest.mark.parametrize("check_ids", DEFECTIVE_DELIVERIES, ids=" ".join)
def test_planted_delivery_is_found(shared_warehouse, land, execute, check_ids):
    delivery_id = f"d{check_ids[0][-3:]}"
    land(shared_warehouse, delivery_id, 24)
    execute(
        shared_warehouse,
        *(
            statement.format(delivery=delivery_id)
            for check_id in check_ids
            for statement in DELIVERY_DEFECTS[check_id]
        ),
    )
    outcomes = run_gate(shared_warehouse, "landing", GateSubject(delivery_id), "run")
    assert set(check_ids) <= {one.check_id for one in outcomes if one.outcome == "failed"}
    assert not [one.check_id for one in outcomes if one.outcome == "error"]


def test_defects_of_one_record_are_not_blamed_on_the_others(defective_outcomes):
    """A check finds its own planted records and, at most, those of a defect that implies it."""
    implied = {
        "FB-LND-025": 1,  # the record with an unknown defect has a NUL byte too
        "FB-LND-026": 0,
    }
    for check_id, defect in DEFECTIVE_RECORDS.items():
        expected = len(defect.found) + implied.get(check_id, 0)
        assert defective_outcomes[check_id].unexpected_count == expected, check_id


def test_withdrawn_records_are_judged_by_no_share_and_hide_nothing(shared_warehouse, land, execute):
    """Half of the records are withdrawals that name nothing but themselves."""
    land(shared_warehouse, "taken", 24)
    execute(
        shared_warehouse,
        "update landing.candidate_record set is_withdrawn = true where record_number > 12 and delivery_id = 'taken'",
        "update landing.candidate_response set submitted_text = null, submitted_on = null, organisation_slug = null, "
        "service_slug = null where record_number > 12 and delivery_id = 'taken'",
        "update landing.candidate_answer set answer_state = 'missing', value_code = null, value_number = null "
        "where record_number > 12 and delivery_id = 'taken'",
        "update landing.candidate_comment set is_blank = true, comment_text = '' "
        "where record_number > 12 and delivery_id = 'taken'",
    )
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("taken"), "run")
    assert {one.check_id for one in outcomes if one.outcome != "passed"} == set()
    assert {one.check_id: one.evaluated_count for one in outcomes}["FB-LND-081"] == 12
    execute(
        shared_warehouse,
        "update landing.candidate_response set submitted_on = null, submitted_text = 'last week' "
        "where record_number <= 3 and delivery_id = 'taken'",
        "update landing.candidate_answer set answer_state = 'missing', value_code = null, value_number = null "
        "where record_number <= 7 and delivery_id = 'taken'",
        "update landing.candidate_comment set is_blank = true, comment_text = '' "
        "where record_number <= 8 and delivery_id = 'taken'",
    )
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("taken"), "run")
    failed = {one.check_id: one.unexpected_count for one in outcomes if one.outcome != "passed"}
    assert failed == {
        "FB-LND-040": 3,
        "FB-LND-052": 3,
        "FB-LND-074": None,
        "FB-LND-080": 8,
        "FB-LND-081": None,
    }


def test_refused_delivery_ends_the_gate_at_its_first_suite(shared_warehouse, land, execute):
    land(shared_warehouse, "short", 3)
    execute(
        shared_warehouse,
        "update landing.delivery set missing_columns = array['id'] where delivery_id = 'short'",
        "update landing.candidate_comment set is_blank = true where delivery_id = 'short'",
    )
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("short"), "run")
    assert [one.check_id for one in outcomes if one.outcome == "failed"] == ["FB-LND-002"]
    assert max(one.check_id for one in outcomes) < "FB-LND-020"


def test_unreadable_file_is_named_by_its_check_and_not_by_that_for_no_records(
    shared_warehouse, land, execute
):
    land(shared_warehouse, "torn", 0)
    execute(
        shared_warehouse,
        "update landing.delivery set delivery_state = 'refused', refusal_reason = 'The file is empty.' "
        "where delivery_id = 'torn'",
    )
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("torn"), "run")
    assert [one.check_id for one in outcomes if one.outcome == "failed"] == ["FB-LND-001"]


def test_header_only_file_is_a_warning_and_the_gate_goes_on(shared_warehouse, land):
    land(shared_warehouse, "empty", 0)
    outcomes = run_gate(shared_warehouse, "landing", GateSubject("empty"), "run")
    assert [(one.check_id, one.effect) for one in outcomes if one.outcome == "failed"] == [
        ("FB-LND-003", "report")
    ]
    assert len(outcomes) == len(LANDING_CHECKS)


def test_other_deliveries_are_not_judged_with_this_one(shared_warehouse, clean_outcomes, defective_outcomes):
    again = run_gate(shared_warehouse, "landing", GateSubject("c1ea"), "another run")
    assert {one.outcome for one in again} == {"passed"}
    assert {one.check_id: one.evaluated_count for one in again}["FB-LND-080"] == 40


def test_every_outcome_is_recorded_passes_too_with_its_definition(shared_warehouse, clean_outcomes, execute):
    rows = execute(
        shared_warehouse,
        """
        select check_result.check_id, definition.title, definition.is_active
        from audit.check_result
        inner join audit.check_definition as definition using (check_id)
        where checked_subject = 'c1ea' and run_id = 'run' and outcome = 'passed'
        """,
    )
    assert sorted(check_id for check_id, _, _ in rows) == LANDING_CHECKS
    assert all(title and is_active for _, title, is_active in rows)


def test_results_of_a_defective_delivery_hold_no_delivered_text(
    shared_warehouse, defective_outcomes, execute, planted_text
):
    trail = execute(
        shared_warehouse,
        "select to_jsonb(check_result)::text from audit.check_result "
        "union all select to_jsonb(check_definition)::text from audit.check_definition",
    )
    seen = " ".join([text for (text,) in trail] + [repr(one) for one in defective_outcomes.values()])
    for secret in (planted_text, "A. Patient", "last week", "sincere"):
        assert secret not in seen


def test_library_is_given_no_row_of_a_batch(shared_warehouse, land, execute):
    """Else a delivery of millions, comments included, would lie in memory."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    land(shared_warehouse, "large", 40)
    execute(
        shared_warehouse, "update landing.record set defects = array['nul_byte'] where delivery_id = 'large'"
    )
    row_counts: list[int] = []

    def note(connection, cursor, *_):
        row_counts.append(cursor.rowcount)

    event.listen(Engine, "after_cursor_execute", note)
    try:
        outcomes = run_gate(shared_warehouse, "landing", GateSubject("large"), "run")
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert {one.check_id: one.unexpected_count for one in outcomes}["FB-LND-025"] == 40
    assert max(row_counts) < 40
