"""Hiding more ends with nothing recovered, and hides the smallest first."""

from __future__ import annotations

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from patient_feedback.privacy.disclosure.attack import EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.mending import further_suppressions, published_rows
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


def mended(table, hidden, **options):
    cells = {quantity.cell for quantity in table.numbers}
    return further_suppressions(table.numbers, hidden, equations_of(cells), table.families, **options)


def test_smallest_sibling_is_hidden_beside_a_single_hidden_one(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    table.service("north", "empty", 0, 0, 0)
    result = mended(table, {table.cell("north", "clinic")})
    assert (result.hidden, result.remaining) == ((table.cell("north", "transport"),), ())


def test_total_is_hidden_where_no_sibling_is_left(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("south", "clinic", 30, 10, 5)
    table.service("east", "clinic", 20, 9, 5)
    table.service("east", "ward", 20, 9, 5)
    result = mended(table, {table.cell("north", "clinic")})
    assert table.cell("north") in result.hidden
    assert result.remaining == ()


def test_table_that_is_safe_is_left_as_it_is(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "transport", 9, 6, 2)
    table.service("north", "ward", 20, 10, 4)
    hidden = {table.cell("north", "clinic"), table.cell("north", "transport")}
    assert mended(table, hidden).hidden == ()


def test_number_that_yesterday_showed_remains(table):
    table.service("north", "clinic", 3, 1, 1)
    table.service("north", "ward", 20, 10, 4)
    earlier = EarlierEdition(table.edition(set()), datetime.date(2024, 3, 1))
    result = mended(table, {table.cell("north", "clinic")}, earlier=earlier)
    assert {one.edition for one in result.remaining} == {"earlier_edition"}


@st.composite
def tables(draw):
    """Return numbers and the first cells to hide: two organisations, services, and strata of one attribute."""
    numbers: dict[Quantity, float] = {}
    for organisation in ("north", "south"):
        for service in ("clinic", "ward", "unit")[: draw(st.integers(1, 3))]:
            for stratum in ("young", "old", "not_stated"):
                counts = [draw(SMALL), draw(SMALL), draw(SMALL)]
                for place in ((organisation, service), (organisation, ALL), (ALL, ALL)):
                    for group in (("age_band", stratum), (ALL, ALL)):
                        cell = CellKey("score", MONTH, *place, *group)
                        for name, number in (
                            (RESPONSES, sum(counts)),
                            ("favourable", counts[0]),
                            ("unfavourable", counts[1]),
                        ):
                            numbers[Quantity(cell, name)] = numbers.get(Quantity(cell, name), 0) + number
    small = {
        quantity.cell for quantity, number in numbers.items() if quantity.name == RESPONSES and 0 < number < 5
    }
    return numbers, small


@settings(max_examples=25, deadline=None)
@given(tables())
def test_nothing_is_recovered_once_all_is_hidden_that_must_be(drawn):
    numbers, small = drawn
    equations = equations_of({quantity.cell for quantity in numbers})
    result = further_suppressions(numbers, small, equations, FAMILIES)
    assert result.remaining == ()
    assert result == further_suppressions(numbers, small, equations, FAMILIES)
    edition = Edition(published_rows(numbers, small | set(result.hidden), FAMILIES), equations)
    for true_numbers in (numbers, None):
        again = attack(edition, FAMILIES, true_numbers=true_numbers)
        assert (again.findings, again.undecided_cells) == ((), ())
