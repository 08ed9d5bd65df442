"""An attacker who knows the rule, and every table there could be, against what the rule leaves to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import product

import psycopg
import pytest

from patient_feedback.settings import Settings

Cell = tuple[str, str]
Counts = tuple[int, int]
"""Responses and positive ones; the others are negative."""
Table = dict[Cell, Counts]


def every_table(services: tuple[int, ...], largest: int, with_positives: bool) -> Iterator[Table]:
    """Yield each table of organisations with so many services whose counts go from 0 to `largest`."""
    choices = [(n, p) for n in range(largest + 1) for p in (range(n + 1) if with_positives else (0,))]
    for counts in product(choices, repeat=sum(services)):
        remaining = iter(counts)
        table: Table = {}
        for organisation, service_count in enumerate(services):
            children = [next(remaining) for _ in range(service_count)]
            for service, child in enumerate(children):
                table[f"o{organisation}", f"s{service}"] = child
            table[f"o{organisation}", "all"] = _total(children)
        table["all", "all"] = _total(list(counts))
        yield table


def _total(counts: list[Counts]) -> Counts:
    return sum(n for n, _ in counts), sum(p for _, p in counts)


def suppressed_tables(
    connection: psycopg.Connection, tables: list[Table], rule: str
) -> list[dict[Cell, bool]]:
    """Apply the compiled rule to every table at once: each is a tree of its own."""
    connection.execute(
        "create temporary table attack_cell (tree_key text, organisation_slug text, part_kind text, part_slug text, "
        "response_count bigint, positive_count bigint, negative_count bigint)"
    )
    with connection.cursor().copy("copy attack_cell from stdin") as copy:
        for number, table in enumerate(tables):
            for (organisation, service), (n, p) in table.items():
                kind = "all" if service == "all" else "service"
                copy.write_row((number, organisation, kind, service, n, p, n - p))
    connection.execute("analyze attack_cell")
    flags: list[dict[Cell, bool]] = [{} for _ in tables]
    for number, organisation, service, is_suppressed in connection.execute(
        f"select tree_key, organisation_slug, part_slug, is_suppressed from ({rule}) as ruled"
    ):
        flags[int(number)][organisation, service] = is_suppressed
    return flags


def disclosed_cells(tables: list[Table], flags: list[dict[Cell, bool]], largest: int) -> list[str]:
    """Return the hidden numbers on which all tables agree that would have been published alike."""
    alike: dict[tuple[tuple[Cell, Counts | None], ...], list[Table]] = defaultdict(list)
    for table, hidden in zip(tables, flags, strict=True):
        alike[tuple((cell, None if hidden[cell] else counts) for cell, counts in table.items())].append(table)
    has_positives = any(positive for table in tables for _, positive in table.values())
    found = []
    for published, candidates in alike.items():
        shown = dict(published)
        if _reaches_beyond(shown, largest):
            continue
        for cell in (cell for cell, counts in published if counts is None):
            possible = {candidate[cell] for candidate in candidates}
            if len({n for n, _ in possible}) == 1:
                found.append(f"responses of {cell} in {shown}")
            if has_positives and not _is_unanimous(shown, cell):
                if len({p for _, p in possible}) == 1:
                    found.append(f"positive responses of {cell} in {shown}")
                if len({p / max(n, 1) for n, p in possible}) == 1:
                    found.append(f"share of {cell} in {shown}")
    return found


def _reaches_beyond(shown: dict[Cell, Counts | None], largest: int) -> bool:
    """Tell whether hidden counts could be larger than the tables tried here go."""
    total = shown["all", "all"]
    if total is None:
        return False
    leaves = [counts[0] for (_, service), counts in shown.items() if service != "all" and counts is not None]
    return total[0] - sum(leaves) > largest


def _is_unanimous(shown: dict[Cell, Counts | None], cell: Cell) -> bool:
    """Tell whether a shown total says of all its parts alike that nobody, or everybody, was positive."""
    for parent in ((cell[0], "all"), ("all", "all")):
        counts = shown[parent]
        if counts is not None:
            return counts[1] in (0, counts[0])
    return False


@pytest.mark.parametrize(
    ("services", "minimum", "largest", "with_positives"),
    [
        ((3,), 5, 9, False),
        ((4,), 4, 6, False),
        ((1, 2), 5, 9, False),
        ((2, 3), 3, 4, False),
        ((1, 4), 3, 4, False),
        ((1, 1, 2), 4, 5, False),
        ((3,), 3, 4, True),
        ((1, 2), 3, 4, True),
    ],
)
def test_reader_who_knows_the_rule_works_out_no_hidden_number(
    seeded_warehouse: Settings,
    compiled_suppression: Callable[[str, int, list[str]], str],
    services: tuple[int, ...],
    minimum: int,
    largest: int,
    with_positives: bool,
) -> None:
    tables = list(every_table(services, largest, with_positives))
    numerators = ["positive_count", "negative_count"] if with_positives else []
    rule = compiled_suppression("attack_cell", minimum, numerators)
    with psycopg.connect(seeded_warehouse.dsn()) as connection:
        flags = suppressed_tables(connection, tables, rule)
        connection.rollback()
    assert any(hidden for table_flags in flags for hidden in table_flags.values())
    assert disclosed_cells(tables, flags, largest) == []


def test_attack_succeeds_where_only_small_cells_are_hidden(seeded_warehouse: Settings) -> None:
    """The attack itself must be able to win, or its silence says nothing."""
    tables = list(every_table((3,), 9, with_positives=False))
    below_minimum_only = (
        "select tree_key, organisation_slug, part_slug, "
        "response_count between 1 and 4 as is_suppressed from attack_cell"
    )
    with psycopg.connect(seeded_warehouse.dsn()) as connection:
        flags = suppressed_tables(connection, tables, below_minimum_only)
        connection.rollback()
    assert disclosed_cells(tables, flags, 9)


def test_month_with_enough_responses_everywhere_is_shown_whole(
    seeded_warehouse: Settings, compiled_suppression: Callable[[str, int, list[str]], str]
) -> None:
    table: Table = {
        ("o0", "s0"): (5, 5),
        ("o0", "s1"): (9, 0),
        ("o0", "all"): (14, 5),
        ("all", "all"): (14, 5),
    }
    rule = compiled_suppression("attack_cell", 5, ["positive_count", "negative_count"])
    with psycopg.connect(seeded_warehouse.dsn()) as connection:
        [flags] = suppressed_tables(connection, [table], rule)
        connection.rollback()
    assert not any(flags.values())
