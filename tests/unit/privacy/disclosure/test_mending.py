"""Hiding more, or keeping what is out already, ends with nothing recovered."""

from __future__ import annotations

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.privacy.disclosure.published_rows import published_rows

from patient_feedback.privacy.disclosure.attack import EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.mending import mend
from patient_feedback.privacy.disclosure.published import (
    ALL,
    RESPONSES,
    CellKey,
    Family,
    Period,
    Quantity,
)

MONTH = Period("month", datetime.date(2024, 1, 1), datetime.date(2024, 1, 31))
FAMILIES = {"score": Family("score", 5, ("favourable", "unfavourable"))}
SMALL = st.integers(0, 3)


def mended(table, hidden, earlier=None):
    found = table.attacked(hidden, earlier=earlier)
    return mend(table.edition(hidden), table.families, table.numbers, found, earlier=earlier)


def edition_before(table, hidden=()):
    return EarlierEdition(table.edition(set(hidden)), dict(table.numbers))


def test_smallest_sibling_is_withheld_beside_a_single_hidden_one(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    table.service("north", "empty", 0, 0, 0)
    result = mended(table, {table.cell("north", "clinic")})
    assert ([*result.withheld], result.remaining) == ([table.cell("north", "transport")], ())


def test_total_is_withheld_where_no_sibling_is_left(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("south", "clinic", 30, 10, 5)
    table.service("east", "clinic", 20, 9, 5)
    table.service("east", "ward", 20, 9, 5)
    result = mended(table, {table.cell("north", "clinic")})
    assert table.cell("north") in result.withheld
    assert result.remaining == ()


def test_table_that_is_safe_is_left_as_it_is(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    result = mended(table, hidden)
    assert (result.withheld, result.kept) == ({}, {})


def test_too_small_a_number_that_the_edition_before_showed_remains(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "ward")}
    result = mended(table, hidden, edition_before(table))
    assert {one.cell for one in result.remaining} >= {table.cell("north", "clinic")}
    assert (result.withheld, result.kept) == ({}, {})


def test_what_changed_is_withheld_and_what_is_out_already_is_kept(table):
    """A withdrawal leaves north with four: its total, not south, is what must not be seen."""
    table.service("north", "clinic", 5, 2, 2)
    table.service("south", "ward", 20, 10, 4)
    table.service("south", "clinic", 9, 6, 2)
    before = edition_before(table)
    table.service("north", "clinic", -1, -1, 0)
    south = {table.cell("south"), table.cell("south", "ward"), table.cell("south", "clinic")}
    result = mended(table, {table.cell("north"), table.cell("north", "clinic"), *south}, before)
    assert ({*result.kept}, {*result.withheld}, result.remaining) == (south, {table.cell()}, ())


def test_service_that_lost_people_is_found_beside_those_that_are_known_from_before(table):
    """Six less two: clinic is what is left of the new total after what everybody read yesterday."""
    table.service("north", "clinic", 6, 3, 2)
    table.service("north", "transport", 15, 7, 4)
    table.service("north", "ward", 60, 30, 10)
    table.service("south", "ward", 40, 20, 10)
    before = edition_before(table)
    table.service("north", "clinic", -2, -1, -1)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    found = table.attacked(hidden, earlier=before)
    assert {one.cell for one in found.findings} >= hidden
    result = mended(table, hidden, before)
    assert {*result.kept} == {table.cell("north", "transport")}
    assert table.cell("north") in result.withheld
    assert result.remaining == ()


def test_number_that_no_cell_of_this_edition_gives_away_is_not_mended(absent_theme):
    table, hidden = absent_theme
    assert {(one.quantity, one.recovery) for one in table.attacked(hidden).findings} == {
        ("parking", "absence")
    }
    result = mended(table, hidden)
    assert (result.withheld, result.remaining) == ({}, ())


def test_what_is_linked_is_mended_by_itself(table):
    """February shows what is too small already: that remains, and January is mended all the same."""
    february = Period("month", datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    late = {service: table.cell("north", service, period=february) for service in ("clinic", "ward")}
    for service, counts in (("clinic", (3, 1, 1)), ("ward", (20, 10, 4))):
        totals = [table.cell("north", period=february), table.cell(period=february)]
        table.count([late[service], *totals], *counts)
    result = mended(
        table,
        {table.cell("north", "clinic"), *late.values()},
        edition_before(table, {cell for cell, _ in table.numbers if cell.period != february}),
    )
    assert [*result.withheld] == [table.cell("north", "transport")]
    assert {one.cell.period for one in result.remaining} == {february}


def test_mending_ends_when_its_time_is_over(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic")}
    found = table.attacked(hidden)
    result = mend(table.edition(hidden), table.families, table.numbers, found, seconds=0)
    assert (result.withheld, result.kept, result.remaining) == ({}, {}, found.findings)


@st.composite
def tables(draw):
    """Return numbers: two organisations, services, and strata of one attribute."""
    numbers: dict[Quantity, float] = {}
    for organisation in ("north", "south"):
        for service in ("clinic", "ward", "unit")[: draw(st.integers(1, 3))]:
            for stratum in ("young", "old", "not_stated"):
                add(numbers, organisation, service, stratum, [draw(SMALL), draw(SMALL), draw(SMALL)])
    return numbers


def add(numbers, organisation, service, stratum, counts):
    for place in ((organisation, service), (organisation, ALL), (ALL, ALL)):
        for group in (("age_band", stratum), (ALL, ALL)):
            cell = CellKey("score", MONTH, *place, *group)
            for name, number in (
                (RESPONSES, sum(counts)),
                ("favourable", counts[0]),
                ("unfavourable", counts[1]),
            ):
                numbers[Quantity(cell, name)] = numbers.get(Quantity(cell, name), 0) + number


def small_cells(numbers):
    return {
        quantity.cell for quantity, number in numbers.items() if quantity.name == RESPONSES and 0 < number < 5
    }


def published(numbers, hidden):
    return Edition(
        published_rows(numbers, hidden, FAMILIES), equations_of({quantity.cell for quantity in numbers})
    )


@settings(max_examples=25, deadline=None)
@given(tables())
def test_nothing_is_recovered_once_all_is_withheld_that_must_be(numbers):
    small = small_cells(numbers)
    edition = published(numbers, small)
    result = mend(edition, FAMILIES, numbers, attack(edition, FAMILIES, true_numbers=numbers))
    assert (result.kept, result.remaining) == ({}, ())
    edition = published(numbers, small | result.withheld.keys())
    for true_numbers in (numbers, None):
        again = attack(edition, FAMILIES, true_numbers=true_numbers)
        assert again.findings == ()
        # Who is sure that nothing hidden is a 0 contradicts the table where one had to be withheld.
        assert again.undecided_cells == () or true_numbers is None


@settings(max_examples=25, deadline=None)
@given(tables(), st.data())
def test_nothing_is_recovered_from_two_editions_once_they_are_mended(numbers, data):
    small = small_cells(numbers)
    edition = published(numbers, small)
    first = mend(edition, FAMILIES, numbers, attack(edition, FAMILIES, true_numbers=numbers))
    before = EarlierEdition(published(numbers, small | first.withheld.keys()), numbers)
    present = {(cell.organisation, cell.service, cell.stratum) for cell, _ in numbers if ALL not in cell[2:]}
    later = dict(numbers)
    for place in data.draw(st.lists(st.sampled_from(sorted(present)), min_size=1, max_size=3)):
        add(later, *place, [1, 0, 0])
    edition = published(later, small_cells(later))
    found = attack(edition, FAMILIES, earlier=before, true_numbers=later)
    result = mend(edition, FAMILIES, later, found, earlier=before)
    assert not small_cells(later) & result.kept.keys()
    assert result.remaining == ()
    edition = published(later, small_cells(later) | result.withheld.keys())
    assert attack(edition, FAMILIES, earlier=before, true_numbers=later).findings == ()
