"""The attack finds what trying every table finds, and nothing else."""

from __future__ import annotations

import datetime
from collections import defaultdict
from itertools import product

import pytest
from tests.unit.privacy.disclosure.published_rows import published_rows

from patient_feedback.privacy.disclosure.attack import attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import ALL, RESPONSES, CellKey, Family, Period, Quantity

MINIMUM = 4


def every_table(services: tuple[int, ...], largest: int, has_numerator: bool):
    """Yield each table of organisations with so many services, as {(organisation, service): (people, positive)}."""
    choices = [(n, p) for n in range(largest + 1) for p in (range(n + 1) if has_numerator else (0,))]
    places = [(f"o{number}", f"s{one}") for number, count in enumerate(services) for one in range(count)]
    for counts in product(choices, repeat=len(places)):
        table = defaultdict(lambda: (0, 0))
        for (organisation, service), (n, p) in zip(places, counts, strict=True):
            for place in ((organisation, service), (organisation, ALL), (ALL, ALL)):
                table[place] = (table[place][0] + n, table[place][1] + p)
        yield dict(table)


def is_hidden(counts: tuple[int, int]) -> bool:
    """Level (a) alone, so that all that a reader knows of the rule is how few a hidden cell holds."""
    return 0 < counts[0] < MINIMUM


def known_by_trying(tables: list[dict], has_numerator: bool) -> set[tuple[int, tuple[str, str], str]]:
    """Return (table, place, quantity) of every hidden number that is the same in all tables that look alike."""
    alike = defaultdict(list)
    for number, table in enumerate(tables):
        shown = tuple((place, None if is_hidden(counts) else counts) for place, counts in table.items())
        alike[shown].append(number)
    found = set()
    for shown, numbers in alike.items():
        published = dict(shown)
        for place, counts in shown:
            if counts is not None:
                continue
            totals = [published[total] for total in ((place[0], ALL), (ALL, ALL)) if total != place]
            possible = [tables[number][place] for number in numbers]
            answers = {RESPONSES: {n for n, _ in possible}}
            if has_numerator and not any(total is not None and total[1] == 0 for total in totals):
                answers["favourable"] = {p for _, p in possible}
            found |= {
                (number, place, name)
                for name, values in answers.items()
                if len(values) == 1
                for number in numbers
            }
    return found


@pytest.mark.parametrize("knows_truth", [True, False])
@pytest.mark.parametrize(
    ("services", "largest", "has_numerator"),
    [
        ((3,), 7, False),
        ((1, 2), 6, False),
        ((2, 2), 4, False),
        ((2,), 6, True),
        ((3,), 3, True),
        ((1, 2), 3, True),
    ],
)
def test_attack_finds_exactly_what_trying_every_table_finds(services, largest, has_numerator, knows_truth):
    tables = list(every_table(services, largest, has_numerator))
    family = Family(
        "score",
        MINIMUM,
        ("favourable",) if has_numerator else (),
        hidden_at_most=MINIMUM - 1,
        always_shows_zeros=True,
    )
    numbers, hidden, place_of = {}, set(), {}
    for number, table in enumerate(tables):
        day = datetime.date(1, 1, 1) + datetime.timedelta(days=number)
        for place, counts in table.items():
            cell = CellKey("score", Period("day", day, day), *place)
            place_of[cell] = (number, place)
            numbers[Quantity(cell, RESPONSES)] = counts[0]
            if has_numerator:
                numbers[Quantity(cell, "favourable")] = counts[1]
            if is_hidden(counts):
                hidden.add(cell)
    families = {"score": family}
    edition = Edition(published_rows(numbers, hidden, families), equations_of(set(place_of)))
    result = attack(edition, families, true_numbers=numbers if knows_truth else None)
    found = {
        (*place_of[one.cell], one.quantity)
        for one in result.findings
        if one.recovery == "exact" and one.quantity != "rest"
    }
    assert result.undecided_cells == ()
    expected = known_by_trying(tables, has_numerator)
    assert expected
    assert found == expected
