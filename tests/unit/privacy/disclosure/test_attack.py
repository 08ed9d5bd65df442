"""Every way to a hidden number that a reader has is found, and nothing is found where there is none."""

from __future__ import annotations

import calendar
import datetime

import pytest

from patient_feedback.privacy.disclosure.attack import EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of, true_equations
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import (
    RESPONSES,
    Family,
    Period,
    PublishedRow,
    Quantity,
)
from patient_feedback.privacy.disclosure.shown_numbers import wilson_interval


def found(result):
    return {(one.cell.organisation, one.cell.service, one.quantity) for one in result.findings}


def recoveries(result):
    return {one.recovery for one in result.findings}


@pytest.mark.parametrize("knows_truth", [True, False])
def test_single_hidden_sibling_is_recovered_from_the_total(table, knows_truth):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    result = table.attacked({table.cell("north", "clinic")}, knows_truth=knows_truth)
    assert found(result) == {("north", "clinic", name) for name in (RESPONSES, "favourable", "unfavourable")}
    assert recoveries(result) == {"exact"}
    assert {one.low for one in result.findings if one.quantity == RESPONSES} == {3}


@pytest.mark.parametrize("knows_truth", [True, False])
def test_two_hidden_siblings_with_room_to_differ_are_not_recovered(table, knows_truth):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    result = table.attacked(hidden, knows_truth=knows_truth)
    assert (result.findings, result.undecided_cells) == ((), ())
    assert (result.cell_count, result.suppressed_cell_count) == (5, 2)


def test_two_hidden_siblings_of_one_are_recovered_from_their_sum(table):
    table.service("north", "clinic", 1, 0, 0)
    table.service("north", "transport", 1, 1, 0)
    table.service("north", "ward", 20, 10, 4)
    result = table.attacked({table.cell("north", "clinic"), table.cell("north", "transport")})
    assert ("north", "clinic", RESPONSES) in found(result)


def test_hidden_siblings_that_stand_together_for_fewer_than_the_minimum_are_found(table):
    table.service("north", "clinic", 1, 1, 0)
    table.service("north", "transport", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    result = table.attacked({table.cell("north", "clinic"), table.cell("north", "transport")})
    assert recoveries(result) == {"group_below_minimum"}


def test_nobody_dissatisfied_among_the_hidden_is_found_unless_the_shown_total_says_so(new_table):
    mixed, unanimous = new_table(), new_table()
    for table, dissatisfied in ((mixed, 4), (unanimous, 0)):
        table.service("north", "clinic", 3, 1, 0)
        table.service("north", "transport", 9, 6, 0)
        table.service("north", "ward", 20, 10, dissatisfied)
    hidden = {mixed.cell("north", "clinic"), mixed.cell("north", "transport")}
    assert {one.quantity for one in mixed.attacked(hidden).findings} == {"unfavourable"}
    assert unanimous.attacked(hidden).findings == ()


def test_counts_hidden_beside_their_published_size_and_share_are_recovered(table):
    """The weakness of hiding the counts only: 0.333333 of 3 is 1."""
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    rows = [
        row._replace(responses=number, denominator=number, share=round(true / number, 6))
        if row.is_suppressed
        else row
        for row in table.rows(hidden)
        for number in [int(table.numbers[Quantity(row.cell, RESPONSES)])]
        for true in [table.numbers[Quantity(row.cell, row.measure)]]
    ]
    result = table.attacked(hidden, rows)
    assert found(result) == {
        ("north", service, name)
        for service in ("clinic", "transport")
        for name in ("favourable", "unfavourable")
    }


def test_interval_left_in_a_hidden_cell_gives_its_counts_away(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    rows = table.rows(hidden)
    number = next(
        index
        for index, row in enumerate(rows)
        if row.cell == table.cell("north", "transport") and row.measure == "favourable"
    )
    low, high = (round(bound, 6) for bound in wilson_interval(6, 9))
    rows[number] = rows[number]._replace(low=low, high=high, share=round(6 / 9, 6))
    assert ("north", "transport", RESPONSES) in found(table.attacked(hidden, rows))
    assert ("north", "clinic", "favourable") in found(table.attacked(hidden, rows))


def test_share_alone_is_recovered_where_only_one_size_has_it(table):
    """1/3 of fewer than six people: one of three."""
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 2, 1, 0)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    rows = [
        row._replace(share=0.333333)
        if row.cell == table.cell("north", "clinic") and row.measure == "favourable"
        else row
        for row in table.rows(hidden)
    ]
    assert ("north", "clinic", RESPONSES) in found(table.attacked(hidden, rows))


def test_number_that_another_table_shows_is_recovered(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    elsewhere = PublishedRow(table.cell("north", "clinic"), "favourable", False, 3, 3, 1)
    result = table.attacked(hidden, [*table.rows(hidden), elsewhere])
    assert ("north", "clinic", RESPONSES) in found(result)


def test_hidden_service_is_recovered_through_another_breakdown(table):
    """By services two are hidden; but the strata of one of them are all shown."""
    people = {
        ("clinic", "young"): (6, 3, 1),
        ("clinic", "old"): (7, 3, 1),
        ("transport", "young"): (8, 4, 2),
        ("transport", "old"): (9, 4, 2),
    }
    for (service, stratum), counts in people.items():
        table.service("north", service, *counts)
        for place in (("north", service), ("north", "all"), ("all", "all")):
            table.count([table.cell(*place, "age_band", stratum)], *counts)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    hidden_strata = {table.cell("north", "clinic", "age_band", stratum) for stratum in ("young", "old")}
    result = table.attacked(hidden | hidden_strata)
    assert ("north", "transport", RESPONSES) in found(result)
    assert ("north", "clinic", RESPONSES) in found(result)


def test_hidden_month_is_recovered_from_its_year_only_if_all_months_are_shown(table):
    year = Period("year", datetime.date(2024, 1, 1), datetime.date(2024, 12, 31))
    months = [
        Period(
            "month",
            datetime.date(2024, month, 1),
            datetime.date(2024, month, calendar.monthrange(2024, month)[1]),
        )
        for month in range(1, 13)
    ]
    for number, month in enumerate(months):
        counts = (3, 1, 1) if number == 5 else (30, 10, 5)
        table.count([table.cell(period=month), table.cell(period=year)], *counts)
    hidden = {table.cell(period=months[5])}
    assert found(table.attacked(hidden)) == {
        ("all", "all", name) for name in (RESPONSES, "favourable", "unfavourable")
    }
    shown_months = {
        cell for cell in {quantity.cell for quantity in table.numbers} if cell.period != months[0]
    }
    without_january = Edition(
        [row for row in table.rows(hidden) if row.cell in shown_months], equations_of(shown_months)
    )
    assert attack(without_january, table.families).findings == ()
    assert equations_of(shown_months, absent_months_are_empty=True) != []


@pytest.mark.parametrize(
    "period",
    [
        Period("month", datetime.date(2024, 1, 1), datetime.date(2024, 1, 31)),
        Period("year", datetime.date(9998, 1, 1), datetime.date(9998, 12, 31)),
        Period("month"),
    ],
    ids=["ended", "running", "undated"],
)
def test_number_shown_yesterday_is_recovered_whatever_its_period(table, period):
    for service, counts in (("clinic", (3, 1, 1)), ("transport", (9, 6, 2)), ("ward", (20, 10, 4))):
        north = table.cell("north", period=period)
        table.count([table.cell("north", service, period=period), north, table.cell(period=period)], *counts)
    clinic, transport, ward = (
        table.cell("north", service, period=period) for service in ("clinic", "transport", "ward")
    )
    result = table.attacked({clinic, transport}, earlier=EarlierEdition(table.edition({clinic, ward})))
    assert found(result) >= {("north", "clinic", RESPONSES), ("north", "transport", RESPONSES)}
    assert {one.edition for one in result.findings} == {"earlier_edition"}


def two_days(new_table, before, now, hidden_before, hidden):
    """Attack north's services of today, with yesterday beside them; each is named with its counts."""
    yesterday, today = new_table(), new_table()
    for table, services in ((yesterday, before), (today, now)):
        for service, counts in services.items():
            table.service("north", service, *counts)

    def cells(services):
        return {today.cell("north", service) for service in services}

    earlier = EarlierEdition(yesterday.edition(cells(hidden_before)), yesterday.numbers)
    return today.attacked(cells(hidden), earlier=earlier)


def test_counts_that_only_grow_bound_what_is_hidden_beside_them(new_table):
    """Transport gained an unfavourable answer and keeps its six favourable ones: the clinic has none."""
    before = {"clinic": (3, 0, 2), "transport": (9, 6, 2), "ward": (20, 10, 4)}
    now = before | {"transport": (10, 6, 3), "ward": (21, 11, 4)}
    result = two_days(new_table, before, now, {"clinic", "ward"}, {"clinic", "transport"})
    assert ("north", "clinic", "favourable") in found(result)
    fewer = now | {"transport": (9, 5, 3)}
    result = two_days(new_table, before, fewer, {"clinic", "ward"}, {"clinic", "transport"})
    assert ("north", "clinic", "favourable") not in found(result)
    assert result.undecided_cells == ()


def test_first_answers_of_a_service_that_had_none_are_not_worked_out_from_what_nobody_new_said(new_table):
    before = {"clinic": (0, 0, 0), "transport": (4, 2, 1), "ward": (9, 5, 2)}
    now = {"clinic": (2, 2, 0), "transport": (6, 3, 1), "ward": (10, 6, 2)}
    result = two_days(new_table, before, now, {"transport", "ward"}, now.keys())
    assert result.findings == ()
    now |= {"clinic": (1, 0, 1)}
    result = two_days(
        new_table, before, now | {"transport": (4, 2, 1), "ward": (9, 5, 2)}, {"transport", "ward"}, now
    )
    assert ("north", "clinic", RESPONSES) in found(result)


def test_hidden_zero_of_the_day_before_is_not_taken_for_somebody(new_table):
    before = {"clinic": (0, 0, 0), "transport": (8, 2, 0), "ward": (0, 0, 0), "unit": (0, 0, 0)}
    now = before | {"clinic": (1, 1, 0)}
    result = two_days(new_table, before, now, {"clinic", "ward"}, {"clinic", "ward", "transport"})
    assert ("north", "clinic", "favourable") in found(result)
    assert result.undecided_cells == ()


def test_new_service_without_answers_is_no_finding_below_a_hidden_total(new_table):
    yesterday, today = new_table(), new_table()
    for table in (yesterday, today):
        table.service("north", "clinic", 3, 1, 1)
    today.service("south", "new", 0, 0, 0)
    earlier = EarlierEdition(yesterday.edition({cell for cell, _ in yesterday.numbers}), yesterday.numbers)
    assert today.attacked({cell for cell, _ in today.numbers}, earlier=earlier).findings == ()


def test_counts_that_changed_since_yesterday_are_never_taken_for_yesterday_s(new_table):
    before, now = new_table(), new_table()
    for table, transport in ((before, 8), (now, 9)):
        table.service("north", "clinic", 3, 1, 1)
        table.service("north", "transport", transport, 6, 1)
        table.service("north", "ward", 20, 10, 4)
        table.service("south", "clinic", 4, 1, 1)
        table.service("south", "transport", 12, 6, 2)
    hidden = {now.cell("north", "clinic"), now.cell("north", "transport")}
    hidden |= {now.cell("south", "clinic"), now.cell("south", "transport")}
    shown_before = hidden - {now.cell("north", "transport"), now.cell("south", "transport")}
    earlier = EarlierEdition(before.edition(shown_before))
    result = now.attacked(hidden, earlier=earlier)
    told = {
        (one.cell.organisation, one.cell.service): one.low
        for one in result.findings
        if one.quantity == RESPONSES
    }
    # Of north what is left of its new total beside the clinic that yesterday told.
    assert (told["north", "transport"], told["south", "transport"]) == (9, 12)


def test_hidden_mean_is_recovered_from_means_and_sizes(new_table):
    table = new_table(Family("score", 5, scores=("mean_score",), score_range=(0, 10)))
    table.service("north", "clinic", 3, 21)
    table.service("north", "ward", 20, 150)
    result = table.attacked({table.cell("north", "clinic")})
    assert found(result) == {("north", "clinic", RESPONSES), ("north", "clinic", "mean_score")}
    [total] = [one for one in result.findings if one.quantity == "mean_score"]
    assert total.low == pytest.approx(21, abs=0.01)


def test_hidden_means_of_two_siblings_are_not_recovered(new_table):
    table = new_table(Family("score", 5, scores=("mean_score",), score_range=(0, 10)))
    table.service("north", "clinic", 3, 21)
    table.service("north", "transport", 8, 40)
    table.service("north", "ward", 20, 150)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    assert table.attacked(hidden).findings == ()


def test_net_share_beside_the_size_gives_the_detractors_away(new_table):
    table = new_table(
        Family("score", 5, ("favourable", "unfavourable"), nets=(("net", "favourable", "unfavourable"),))
    )
    table.service("north", "clinic", 3, 2, 0)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    assert table.attacked(hidden).findings == ()
    net = PublishedRow(table.cell("north", "clinic"), "net", True, 3, 3, None, 0.666667)
    result = table.attacked(hidden, [*table.rows(hidden), net])
    assert {one.quantity for one in result.findings} >= {"favourable", "unfavourable"}


def test_wider_protection_finds_numbers_that_are_known_within_it(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 3, 2, 0)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    assert {one.recovery for one in table.attacked(hidden).findings} == set()
    wider = table.attacked(hidden, protection_width=5)
    assert ("north", "clinic", RESPONSES) in found(wider)
    assert "interval" in recoveries(wider)


def test_hidden_total_of_shown_parts_is_recovered(table):
    table.service("north", "clinic", 7, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    assert ("north", "all", RESPONSES) in found(table.attacked({table.cell("north")}))


def test_sum_that_the_truth_does_not_bear_out_is_no_equation(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    table.count([table.cell("north"), table.cell()], 6, 2, 2)
    [services, organisations] = true_equations(
        equations_of({quantity.cell for quantity in table.numbers}), table.numbers
    )[::-1]
    assert services.total == table.cell("north") and not services.is_exact
    assert organisations.is_exact


def test_table_that_contradicts_itself_is_undecided(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    rows = [
        row._replace(responses=19, denominator=19, numerator=10) if row.cell == table.cell("north") else row
        for row in table.rows({table.cell("north", "clinic")})
    ]
    assert table.attacked({table.cell("north", "clinic")}, rows, knows_truth=False).undecided_cells == (
        table.cell("north", "clinic"),
    )


def test_what_the_solver_has_no_time_for_is_undecided_and_never_safe(table):
    for ward in range(6):
        table.service("north", f"ward {ward}", 3 + ward, 1 + ward % 2, ward)
    hidden = {table.cell("north", f"ward {ward}") for ward in range(6)}
    in_time = table.attacked(hidden, knows_truth=False)
    too_late = table.attacked(hidden, knows_truth=False, solve_seconds=0.0)
    assert in_time.undecided_cells == ()
    assert set(too_late.undecided_cells) == hidden


def test_finding_keeps_its_number_out_of_its_representation(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    [finding, *_] = table.attacked({table.cell("north", "clinic")}).findings
    assert "low" not in repr(finding) and "3.0" not in repr(finding)


def test_theme_that_no_hidden_place_raised_is_an_absence(absent_theme):
    table, hidden = absent_theme
    assert {(one.quantity, one.recovery) for one in table.attacked(hidden).findings} == {
        ("parking", "absence")
    }
