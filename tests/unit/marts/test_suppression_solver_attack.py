"""The rule of the marts, on random counts, against an attacker with a solver."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.privacy.disclosure.published_rows import published_rows

from patient_feedback.privacy.disclosure.attack import attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import (
    ALL,
    RESPONSES,
    CellKey,
    Family,
    Period,
    Quantity,
)
from patient_feedback.settings import Settings

MINIMUM = 5
NUMERATORS = ("favourable", "unfavourable")
FAMILIES = {"score": Family("score", MINIMUM, NUMERATORS)}
FIRST_MONTH = datetime.date(1, 1, 1)

small_counts = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3))
large_counts = st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 20))
organisations = st.lists(
    st.lists(small_counts | large_counts, min_size=1, max_size=5), min_size=1, max_size=4
)
many_months = st.lists(organisations, min_size=5, max_size=25)


def numbers_of(months: list[list[list[tuple[int, int, int]]]]) -> dict[Quantity, float]:
    """Return every number of the months' services and totals; counts are of favourable, unfavourable, neither."""
    numbers: dict[Quantity, float] = {}
    for month, month_counts in enumerate(months):
        day = FIRST_MONTH + datetime.timedelta(days=month)
        for organisation, services in enumerate(month_counts):
            for service, counts in enumerate(services):
                for place in ((f"o{organisation}", f"s{service}"), (f"o{organisation}", ALL), (ALL, ALL)):
                    cell = CellKey("score", Period("month", day, day), *place)
                    for name, number in zip(
                        (RESPONSES, *NUMERATORS), (sum(counts), *counts[:2]), strict=True
                    ):
                        numbers[Quantity(cell, name)] = numbers.get(Quantity(cell, name), 0) + number
    return numbers


def suppressed_cells(
    connection: psycopg.Connection, numbers: dict[Quantity, float], rule: str
) -> set[CellKey]:
    connection.execute(
        "create temporary table attack_cell (tree_key date, organisation_slug text, part_kind text, part_slug text, "
        "response_count bigint, favourable_count bigint, unfavourable_count bigint)"
    )
    cells = {quantity.cell for quantity in numbers}
    with connection.cursor().copy("copy attack_cell from stdin") as copy:
        for cell in cells:
            counts = (numbers[Quantity(cell, name)] for name in (RESPONSES, *NUMERATORS))
            kind = "all" if cell.service == "all" else "service"
            copy.write_row((cell.period.first_on, cell.organisation, kind, cell.service, *map(int, counts)))
    hidden = {
        CellKey("score", Period("month", day, day), organisation, service)
        for day, organisation, service in connection.execute(
            f"select tree_key, organisation_slug, part_slug from ({rule}) as ruled where is_suppressed"
        )
    }
    connection.rollback()
    return hidden


def test_solver_recovers_no_hidden_number_whatever_the_counts(
    seeded_warehouse: Settings, compiled_suppression: Callable[[str, int, list[str]], str]
) -> None:
    rule = compiled_suppression("attack_cell", MINIMUM, [f"{name}_count" for name in NUMERATORS])
    seen_hidden = 0
    with psycopg.connect(seeded_warehouse.dsn()) as connection:

        @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(many_months)
        def attacked(months: list[list[list[tuple[int, int, int]]]]) -> None:
            nonlocal seen_hidden
            numbers = numbers_of(months)
            hidden = suppressed_cells(connection, numbers, rule)
            seen_hidden += len(hidden)
            rows = published_rows(numbers, hidden, FAMILIES)
            equations = equations_of({quantity.cell for quantity in numbers})
            result = attack(Edition(rows, equations), FAMILIES, true_numbers=numbers)
            assert (result.findings, result.undecided_cells) == ((), ())
            shown = {row.cell: row for row in rows if row.measure == NUMERATORS[0]}
            for equation in equations:
                parts = [shown[part] for part in (equation.total, *equation.parts)]
                if not any(part.is_suppressed for part in parts):
                    assert parts[0].responses == sum(part.responses or 0 for part in parts[1:])
                    assert parts[0].numerator == sum(part.numerator or 0 for part in parts[1:])
            for row in rows:
                assert not row.is_suppressed or (row.responses, row.numerator) == (None, None)

        attacked()
    assert seen_hidden


PARTS = {"comments": Family("comments", MINIMUM), "side": Family("side", MINIMUM, part_of="comments")}
few = st.tuples(st.integers(0, 6), st.integers(0, 6))
many = st.tuples(st.integers(0, 30), st.integers(0, 30))
months_of_sides = st.lists(
    st.lists(st.lists(few | many, min_size=1, max_size=5), min_size=1, max_size=4), min_size=5, max_size=25
)


def part_and_whole(months: list[list[list[tuple[int, int]]]]) -> dict[Quantity, float]:
    """Return the responses of all comments and of a side; counts are of who speaks of it and of who does not."""
    numbers: dict[Quantity, float] = {}
    for month, month_counts in enumerate(months):
        day = FIRST_MONTH + datetime.timedelta(days=month)
        for organisation, services in enumerate(month_counts):
            for service, (speakers, others) in enumerate(services):
                for place in ((f"o{organisation}", f"s{service}"), (f"o{organisation}", ALL), (ALL, ALL)):
                    for family, number in (("comments", speakers + others), ("side", speakers)):
                        quantity = Quantity(CellKey(family, Period("month", day, day), *place), RESPONSES)
                        numbers[quantity] = numbers.get(quantity, 0) + number
    return numbers


def hidden_parts_and_wholes(
    connection: psycopg.Connection, numbers: dict[Quantity, float], rules: dict[str, str]
) -> set[CellKey]:
    """Apply the rule to all comments, then to the side, as int_side_cells_suppressed does."""
    hidden: set[CellKey] = set()
    connection.execute(
        "create temporary table attack_part (tree_key date, organisation_slug text, part_kind text, part_slug text, "
        "response_count bigint, other_count bigint, is_hidden_with_comments boolean)"
    )
    for family, rule in rules.items():
        connection.execute("truncate attack_part")
        with connection.cursor().copy("copy attack_part from stdin") as copy:
            for (cell, name), number in numbers.items():
                if cell.family != family:
                    continue
                whole = cell._replace(family="comments")
                kind = "all" if cell.service == ALL else "service"
                place = (cell.period.first_on, cell.organisation, kind, cell.service)
                others = numbers[Quantity(whole, name)] - number
                copy.write_row((*place, int(number), int(others), whole in hidden and number > 0))
        hidden |= {
            CellKey(family, Period("month", day, day), organisation, service)
            for day, organisation, service in connection.execute(
                f"select tree_key, organisation_slug, part_slug from ({rule}) as ruled where is_suppressed"
            )
        }
    connection.rollback()
    return hidden


def test_solver_recovers_no_side_from_all_comments_whatever_the_counts(
    seeded_warehouse: Settings, compiled: Callable[[str], str]
) -> None:
    call = "suppressed_cells('attack_part', [], 'response_count', {}{})"
    rules = {
        "comments": compiled(call.format(MINIMUM, "")),
        "side": compiled(call.format(MINIMUM, ", must_hide='is_hidden_with_comments', others='other_count'")),
    }
    seen_shown = 0
    with psycopg.connect(seeded_warehouse.dsn()) as connection:

        @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(months_of_sides)
        def attacked(months: list[list[list[tuple[int, int]]]]) -> None:
            nonlocal seen_shown
            numbers = part_and_whole(months)
            hidden = hidden_parts_and_wholes(connection, numbers, rules)
            cells = {quantity.cell for quantity in numbers}
            seen_shown += sum(cell.family == "side" for cell in cells - hidden)
            edition = Edition(published_rows(numbers, hidden, PARTS), equations_of(cells))
            result = attack(edition, PARTS, true_numbers=numbers)
            assert (result.findings, result.undecided_cells) == ((), ())

        attacked()
    assert seen_shown
