"""A table whose people are a part of another table's: what one shows of them, the other may hide."""

from __future__ import annotations

import datetime

import pytest
from tests.unit.privacy.disclosure.published_rows import published_rows

from patient_feedback.privacy.disclosure.attack import EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.mending import mend
from patient_feedback.privacy.disclosure.published import (
    ALL,
    DENOMINATOR,
    OTHERS,
    RESPONSES,
    CellKey,
    Family,
    Period,
    Quantity,
)

FAMILIES = {
    "comments": Family("comments", 5, scores=("sentiment",), has_own_denominator=True),
    "side": Family("side", 5, scores=("side_sentiment",), has_own_denominator=True, part_of="comments"),
}
MONTH = Period("month", datetime.date(2026, 1, 1), datetime.date(2026, 1, 31))


def cell(family, service=ALL):
    return CellKey(
        family, MONTH, ALL if service == "month" else "north", ALL if service == "month" else service
    )


def numbers_of(services):
    """Return the numbers of an organisation's month; services are (people, comments, people and comments of the side)."""
    numbers = {}
    for service, (people, comments, people_of_side, comments_of_side) in services.items():
        for family, counts in (
            ("comments", (people, comments, 0.25 * comments)),
            ("side", (people_of_side, comments_of_side, -0.5 * comments_of_side)),
        ):
            names = (RESPONSES, DENOMINATOR, *FAMILIES[family].scores)
            for place in (service, ALL, "month"):
                for name, number in zip(names, counts, strict=True):
                    quantity = Quantity(cell(family, place), name)
                    numbers[quantity] = numbers.get(quantity, 0) + number
    return numbers


def edition_of(numbers, hidden):
    return Edition(
        published_rows(numbers, hidden, FAMILIES), equations_of({quantity.cell for quantity in numbers})
    )


def attacked(services, hidden_comments=(), hidden_sides=(), knows_truth=True):
    numbers = numbers_of(services)
    hidden = {cell("comments", one) for one in hidden_comments} | {cell("side", one) for one in hidden_sides}
    return attack(edition_of(numbers, hidden), FAMILIES, true_numbers=numbers if knows_truth else None)


def mended(services, hidden=()):
    """Mend the month; return what is withheld and what an attack finds after it."""
    numbers = numbers_of(services)
    edition = edition_of(numbers, set(hidden))
    result = mend(edition, FAMILIES, numbers, attack(edition, FAMILIES, true_numbers=numbers))
    assert result.remaining == ()
    withheld = {*result.withheld}
    # What hides the comments hides what is said of a side in them.
    followed = {one._replace(family="side") for one in withheld if one.family == "comments"}
    again = attack(edition_of(numbers, {*hidden, *withheld, *followed}), FAMILIES, true_numbers=numbers)
    return withheld, found(again)


def found(result):
    return {(one.cell.family, one.cell.service, one.quantity) for one in result.findings}


@pytest.mark.parametrize("knows_truth", [True, False])
def test_comments_less_those_of_a_side_are_one_person_s(knows_truth):
    services = {"clinic": (10, 10, 9, 9), "ward": (40, 44, 20, 22)}
    assert found(attacked(services, knows_truth=knows_truth)) == {("side", "clinic", OTHERS)}
    assert found(attacked(services, hidden_sides=("clinic", "ward"), knows_truth=knows_truth)) == set()


def test_many_other_comments_of_few_people_are_few_people_s():
    services = {"clinic": (10, 24, 7, 14), "ward": (40, 44, 20, 22)}
    assert found(attacked(services)) == {("side", "clinic", OTHERS)}


def test_hidden_services_that_all_speak_of_a_side_are_found_though_no_count_of_theirs_is():
    services = {"clinic": (2, 3, 2, 3), "transport": (3, 5, 3, 5), "ward": (40, 43, 24, 26)}
    small = ("clinic", "transport")
    assert found(attacked(services, small, small)) == {("side", "clinic", OTHERS)}
    everywhere = services | {"ward": (40, 43, 40, 43)}
    assert found(attacked(everywhere, small, small)) == set(), "the shown total says so of all its parts"


def test_shown_side_bounds_the_comments_that_are_hidden():
    services = {"clinic": (1, 1, 0, 0), "transport": (5, 5, 5, 5), "ward": (40, 44, 20, 22)}
    small = ("clinic", "transport")
    assert ("comments", "clinic", RESPONSES) in found(attacked(services, small))


def test_nothing_is_found_where_enough_others_are_left_everywhere():
    services = {"clinic": (9, 10, 2, 2), "transport": (11, 12, 4, 4), "ward": (40, 44, 20, 22)}
    result = attacked(services, hidden_sides=("clinic", "transport"))
    assert (result.findings, result.undecided_cells) == ((), ())


def test_part_of_nothing_is_no_secret():
    services = {"clinic": (0, 0, 0, 0), "ward": (6, 6, 4, 4)}
    result = attacked(services, hidden_sides=("clinic", "ward", ALL, "month"))
    assert result.findings == ()


def test_side_that_leaves_too_few_others_is_withheld_with_what_would_give_it_away():
    services = {"clinic": (10, 10, 9, 9), "transport": (12, 12, 4, 4), "ward": (40, 44, 20, 22)}
    withheld, left = mended(services)
    assert cell("side", "clinic") in withheld
    assert len(withheld) > 1, "its month less the others would tell it"
    assert left == set()


def test_comments_that_a_shown_side_bounds_are_mended():
    services = {"clinic": (1, 1, 0, 0), "transport": (5, 5, 5, 5), "ward": (40, 44, 20, 22)}
    withheld, left = mended(services, [cell("comments", "clinic"), cell("comments", "transport")])
    assert (bool(withheld), left) == (True, set())


def test_side_that_was_published_stays_and_the_writers_that_changed_are_withheld():
    """One writer less leaves four beside the side, of which all have read yesterday how many there are."""
    services = {"clinic": (15, 15, 10, 10), "transport": (30, 30, 12, 12), "ward": (40, 44, 20, 22)}
    before, numbers = numbers_of(services), numbers_of(services | {"clinic": (14, 14, 10, 10)})
    earlier = EarlierEdition(edition_of(before, set()), before)
    hidden = {cell("side", "clinic"), cell("side", "transport")}
    edition = edition_of(numbers, hidden)
    result = mend(
        edition,
        FAMILIES,
        numbers,
        attack(edition, FAMILIES, earlier=earlier, true_numbers=numbers),
        earlier=earlier,
    )
    assert hidden <= result.kept.keys()
    assert cell("comments", "clinic") in result.withheld
    assert result.remaining == ()
