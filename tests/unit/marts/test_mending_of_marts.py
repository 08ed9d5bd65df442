"""A day on which late feedback and withdrawals would give hidden numbers away, and the day after it."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from tests.unit.marts.conftest import Marts, new_database
from tests.unit.marts.published_days import PUBLISHED, Day, run_day

from patient_feedback.orchestration.marts import discard_overrides
from patient_feedback.stack.postgres import EmbeddedPostgres

# Of March, trust_0 keeps four answers and trust_2 gets twenty: the smallest but one is now trust_1, all of which was
# published. Of September, service_2 of trust_2 falls below service_5, which was hidden beside the small service_8.
CHANGES = """
    with answered as (
        select
            *,
            row_number() over (partition by submitted_month, organisation_slug order by response_id) as in_trust,
            row_number() over (partition by submitted_month, service_slug order by response_id) as in_service
        from (
            select *, date_trunc('month', submitted_on) as submitted_month from marts_blue.fct_scores
            where score_slug = 'fft' and score_state = 'scored'
        ) as scored
    )
    update feedback.response set is_withdrawn = true
    where response_id in (
        select response_id from answered
        where
            (submitted_month = '2021-03-01' and organisation_slug = 'trust_0' and in_trust <= 6)
            or (submitted_month = '2021-09-01' and service_slug = 'service_2' and in_service <= 5)
    );
    insert into feedback.response (
        response_id, source_slug, source_record_ref, record_version, is_withdrawn, organisation_slug,
        organisation_name, service_slug, service_name, submitted_on, submitted_on_basis, received_at, delivery_id
    )
    select
        'late' || number, 'survey', 'late ' || number, 1, false, 'trust_2', 'Trust 2', 'service_2', 'Service 2',
        '2021-03-15', 'declared', '2023-01-01', 'd1'
    from generate_series(1, 20) as numbers (number);
    insert into feedback.answer (
        response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
        is_value_set_aside, delivery_id, record_number
    )
    select
        'late' || number, 'fft', '2020', 'overall_experience', 1 + number % 5, (1 + number % 5)::text, 'answered',
        false, 'd1', number
    from generate_series(1, 20) as numbers (number);
"""
FLAGS = (
    "select score_slug, period_first_on, organisation_slug, part_kind, part_slug, is_suppressed "
    "from int_cells_suppressed"
)


@pytest.fixture(scope="module")
def first_day(marts: Marts, marts_of_the_other_slot: Marts, server: EmbeddedPostgres) -> Marts:
    """Both slots in a database of their own; the blue one is published, then feedback changes."""
    settings = new_database(server, marts.settings, marts.settings.db_name)
    with psycopg.connect(settings.dsn()) as connection:
        connection.execute(PUBLISHED.format(slot="marts_blue", day="first"))
        connection.execute(CHANGES)
    return replace(marts, settings=settings)


@pytest.fixture(scope="module")
def second_day(first_day: Marts) -> Day:
    """The day of the changes, with a dbt test that failed before the candidate was mended."""
    return run_day(replace(first_day, slot="marts_green"), "second", failed_before="FB-DBT-002")


@pytest.fixture(scope="module")
def third_day(first_day: Marts, second_day: Day) -> Day:
    return run_day(first_day, "third")


def test_candidate_that_gives_numbers_away_is_mended_and_published(second_day: Day) -> None:
    attacks = second_day.marts.rows(
        "select recovered_count > 0, undecided_cell_count from audit.disclosure_attack where run_id = 'second' "
        "order by attacked_at"
    )
    assert attacks[0] == (True, 0)
    assert attacks[-1] == (False, 0)
    assert second_day.counts.counts["override_count"]


def test_what_changed_is_hidden_and_what_is_out_already_stays_published(second_day: Day) -> None:
    shown = second_day.marts.rows(
        "select organisation_slug, service_slug, cell_state, response_count from rpt_measures "
        "where measure_slug = 'fft_positive_share' and period_first_on = '2021-03-01' and stratum = 'all' "
        "and service_slug in ('all', 'service_7')  and organisation_slug <> 'not_stated' order by 1, 2"
    )
    assert shown == [
        ("all", "all", "suppressed", None),
        ("trust_0", "all", "suppressed", None),
        ("trust_1", "all", "value", 30),
        ("trust_1", "service_7", "value", 6),
        ("trust_2", "all", "value", 37),
    ]


def test_service_that_was_hidden_beside_a_small_one_stays_hidden_when_another_falls_below_it(
    second_day: Day,
) -> None:
    flags = second_day.marts.rows(
        "select part_slug, response_count, is_suppressed from int_cells_suppressed where score_slug = 'fft' and "
        "period_first_on = '2021-09-01' and organisation_slug = 'trust_2' and part_kind = 'service' order by 1"
    )
    assert flags == [("service_2", 6, False), ("service_5", 7, True), ("service_8", 1, True)]


def test_trail_says_which_cell_was_withheld_and_why_without_a_number(second_day: Day) -> None:
    overrides = second_day.marts.rows(
        "select decision, organisation_slug, part_kind, part_slug, override_state, reason from fct_suppression_overrides "
        "where run_id = 'second' and score_slug = 'fft' and organisation_slug = 'all'"
    )
    assert overrides == [
        (
            "withheld",
            "all",
            "all",
            "all",
            "in_force",
            "fft_negative_share of trust_0 could be worked out: exact, this_edition",
        )
    ]


def test_next_run_needs_no_mending_and_hides_nothing_that_was_shown(second_day: Day, third_day: Day) -> None:
    assert third_day.counts.counts["override_count"] == 0
    hidden = [{*day.marts.rows(f"{FLAGS} where is_suppressed")} for day in (second_day, third_day)]
    assert hidden[1] <= hidden[0]
    # Beside what was withheld a cell may be shown again that the rule had hidden before.
    withheld = third_day.marts.rows(
        f"{FLAGS} inner join audit.suppression_override using "
        "(score_slug, score_version, period_kind, period_first_on, organisation_slug, part_kind, part_slug) "
        "where decision = 'withheld' and override_state = 'in_force'"
    )
    assert {*withheld} <= hidden[1]


def test_overrides_of_a_candidate_that_was_not_published_are_discarded(third_day: Day) -> None:
    with psycopg.connect(third_day.marts.settings.dsn()) as connection:
        connection.execute(
            "insert into audit.suppression_override (attack_id, run_id, decision, score_slug, score_version, "
            "period_kind, period_first_on, organisation_slug, part_kind, part_slug, reason) "
            "select attack_id, 'refused', decision, score_slug, score_version, period_kind, period_first_on, "
            "organisation_slug, part_kind, part_slug, reason from audit.suppression_override"
        )
        discard_overrides(connection)
    states = third_day.marts.rows(
        "select distinct run_id, override_state from audit.suppression_override order by 1"
    )
    assert states == [("refused", "discarded"), ("second", "in_force")]
