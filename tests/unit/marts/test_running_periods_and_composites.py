"""Days within a month that runs, and a late questionnaire in a year that has ended: what two editions give away together."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from tests.unit.marts.conftest import Marts, new_database
from tests.unit.marts.published_days import PUBLISHED, Day, run_day

from patient_feedback.orchestration.published_tables import read_truth
from patient_feedback.privacy.disclosure.published import DENOMINATOR, RESPONSES
from patient_feedback.stack.postgres import EmbeddedPostgres

NURSES = ("nurse_respect", "nurse_listen", "nurse_explain")
COMPOSITE = "hcahps_nurse_communication"
RESPONSE = """
    insert into feedback.response (
        response_id, source_slug, source_record_ref, record_version, is_withdrawn, organisation_slug,
        organisation_name, service_slug, service_name, submitted_on, submitted_on_basis, received_at, delivery_id
    )
    values (%(id)s, 'survey', %(id)s, 1, false, %(place)s, %(place)s, %(service)s, %(service)s,
        coalesce(%(day)s, current_date), 'declared', '2023-01-01', 'd1')
"""
ANSWER = """
    insert into feedback.answer (
        response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
        is_value_set_aside, delivery_id, record_number
    )
    values (%(id)s, %(instrument)s, %(version)s, %(item)s, %(code)s, %(code)s::text, 'answered', false, 'd1', 1)
"""
HIDDEN = """
    select service_slug, response_count, is_suppressed from int_cells_suppressed
    where score_slug = 'fft' and organisation_slug = %s and part_kind = 'service' and response_count > 0 order by 1
"""
WITHHELD = """
    select overrides.run_id, overrides.part_kind, cells.is_suppressed
    from audit.suppression_override as overrides
    inner join int_cells_suppressed as cells
        using (score_slug, score_version, period_kind, period_first_on, organisation_slug, part_kind, part_slug)
    where
        decision = 'withheld' and override_state = 'in_force' and organisation_slug = %s and part_kind = 'all'
        and period_first_on > '2024-01-01' and (score_slug = 'fft' or score_slug = %s)
"""
ASKED = {
    "friends and family": ("fft", "2020", ("overall_experience",), 5, None),
    "nurses of 2023": ("hcahps", "2006", NURSES, 4, "2023-05-15"),
    "nurses of this year": ("hcahps", "2025", NURSES, 4, None),
}


def answer(connection: psycopg.Connection, place: str, service: str, numbers: range, *questions: str) -> None:
    """Let people answer: today the Friends and Family Test or what they say of nurses, or the latter in 2023."""
    for question in questions or ("friends and family",):
        instrument, version, items, code_count, day = ASKED[question]
        for number in numbers:
            of = {
                "id": f"{question} {place} {service} {number}",
                "place": place,
                "service": service,
                "day": day,
            }
            connection.execute(RESPONSE, of)
            for item in items:
                code = code_count - number % code_count
                connection.execute(
                    ANSWER, of | {"instrument": instrument, "version": version, "item": item, "code": code}
                )


@pytest.fixture(scope="module")
def first_day(marts: Marts, marts_of_the_other_slot: Marts, server: EmbeddedPostgres) -> Day:
    settings = new_database(server, marts.settings, marts.settings.db_name)
    with psycopg.connect(settings.dsn()) as connection:
        connection.execute(PUBLISHED.format(slot="marts_blue", day="before"))
        for service, count in (("small", 3), ("middle", 6), ("large", 7), ("largest", 20)):
            answer(connection, "clinics", service, range(count))
        for service, count in (("north", 12), ("south", 14)):
            answer(connection, "homes", service, range(count))
        for place, service, count in (("east", "ward", 30), ("east", "unit", 40), ("west", "ward", 50)):
            answer(connection, place, service, range(count), "nurses of 2023", "nurses of this year")
    return run_day(replace(marts, settings=settings, slot="marts_green"), "first")


@pytest.fixture(scope="module")
def second_day(first_day: Day) -> Day:
    """A clinic that was hidden grows past another; beside shown homes and wards somebody is the first of a service."""
    with psycopg.connect(first_day.marts.settings.dsn()) as connection:
        answer(connection, "clinics", "middle", range(6, 9))
        answer(connection, "homes", "west", range(1))
        answer(connection, "east", "theatre", range(1), "nurses of 2023", "nurses of this year")
    return run_day(replace(first_day.marts, slot="marts_blue"), "second")


@pytest.fixture(scope="module")
def third_day(second_day: Day) -> Day:
    """The small clinic and the new home reach the minimum; nobody says more of nurses."""
    with psycopg.connect(second_day.marts.settings.dsn()) as connection:
        answer(connection, "clinics", "small", range(3, 6))
        answer(connection, "homes", "west", range(1, 9))
    return run_day(replace(second_day.marts, slot="marts_green"), "third")


def test_clinic_that_grew_stays_hidden_beside_a_small_one_while_the_month_runs(
    first_day: Day, second_day: Day
) -> None:
    hidden = [
        {service for service, _, is_hidden in day.marts.rows(HIDDEN, "clinics") if is_hidden}
        for day in (first_day, second_day)
    ]
    assert hidden == [{"small", "middle"}, {"small", "middle"}]


def test_clinic_that_reaches_the_minimum_in_a_running_month_is_shown(third_day: Day) -> None:
    assert third_day.marts.rows(HIDDEN, "clinics") == [
        ("large", 7, False),
        ("largest", 20, False),
        ("middle", 9, False),
        ("small", 6, False),
    ]


def test_total_that_was_withheld_in_a_running_month_is_shown_once_all_of_it_may_be(
    second_day: Day, third_day: Day
) -> None:
    assert second_day.marts.rows(WITHHELD, "homes", "") == [("second", "all", True)]
    assert third_day.marts.rows(WITHHELD, "homes", "") == [("second", "all", False)]


def test_total_that_was_withheld_in_a_running_year_stays_so_while_nobody_answers(third_day: Day) -> None:
    assert third_day.marts.rows(WITHHELD, "east", COMPOSITE) == [("second", "all", True)]
    assert third_day.counts.counts["override_count"] == 0


def test_late_questionnaire_in_a_composite_is_hidden_by_its_totals_and_the_wards_stay_published(
    second_day: Day,
) -> None:
    shown = second_day.marts.rows(
        "select organisation_slug, service_slug, response_count from rpt_measures "
        "where measure_slug = %s and period_first_on = '2023-01-01' and stratum = 'all' order by 1, 2",
        f"{COMPOSITE}_top_box_share",
    )
    assert [row for row in shown if row[2] != 0] == [
        ("all", "all", None),
        ("east", "all", None),
        ("east", "theatre", None),
        ("east", "unit", 40),
        ("east", "ward", 30),
        ("west", "all", 50),
        ("west", "ward", 50),
    ]
    recovered = second_day.marts.rows(
        "select recovered_count from audit.disclosure_attack where run_id = 'second' order by attacked_at"
    )
    assert recovered[0] > (0,) and recovered[-1] == (0,)


def test_truth_of_a_composite_is_added_over_its_items_but_for_its_responses(first_day: Day) -> None:
    with psycopg.connect(first_day.marts.settings.dsn()) as connection:
        numbers = read_truth(connection, first_day.marts.slot)
    found = {
        quantity.name: number
        for quantity, number in numbers.items()
        if quantity.cell.family == f"{COMPOSITE} 2006"
        and (quantity.cell.organisation, quantity.cell.service) == ("east", "unit")
        and number
    }
    assert found == {
        RESPONSES: 40,
        DENOMINATOR: 120,
        f"{COMPOSITE}_top_box_share": 30,
        f"{COMPOSITE}_middle_box_share": 30,
        f"{COMPOSITE}_bottom_box_share": 60,
    }
