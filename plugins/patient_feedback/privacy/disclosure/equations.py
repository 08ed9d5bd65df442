"""The sums that hold among the cells of a published table, read off its dimensions."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable

from patient_feedback.privacy.disclosure.published import (
    ALL,
    RESPONSES,
    CellKey,
    Equation,
    Numbers,
    Period,
    Quantity,
)

MONTHS_OF_A_YEAR = 12


def equations_of(cells: Collection[CellKey], absent_months_are_empty: bool = False) -> list[Equation]:
    """Return every sum: services to organisation, organisations to all, strata to their total, months to year.

    A sum needs its total and its parts as cells. A year needs all of its months, unless months without any
    row are known to have had no response.
    """
    present = cells if isinstance(cells, set | frozenset | dict) else set(cells)
    parts_of: dict[tuple[str, CellKey], list[CellKey]] = defaultdict(list)
    for cell in present:
        if cell.service != ALL:
            parts_of["service", cell._replace(service=ALL)].append(cell)
        if cell.organisation != ALL:
            parts_of["organisation", cell._replace(organisation=ALL)].append(cell)
        if cell.attribute != ALL:
            parts_of[cell.attribute, cell._replace(attribute=ALL, stratum=ALL)].append(cell)
        if cell.period.kind == "month" and cell.period.first_on is not None:
            parts_of["month", cell._replace(period=_year_of(cell.period.first_on))].append(cell)
    equations = [
        Equation(total, tuple(sorted(parts, key=sort_key)))
        for (dimension, total), parts in parts_of.items()
        if total in present
        and (dimension != "month" or absent_months_are_empty or len(parts) == MONTHS_OF_A_YEAR)
    ]
    return sorted(equations, key=lambda equation: (sort_key(equation.total), sort_key(equation.parts[0])))


def true_equations(equations: Iterable[Equation], numbers: Numbers) -> list[Equation]:
    """Return the equations that the true responses bear out: broken ones as 'at least', impossible ones not at all.

    Cells of unknown numbers leave their equation as it is.
    """
    kept = []
    for equation in equations:
        total = numbers.get(Quantity(equation.total, RESPONSES))
        parts = [numbers.get(Quantity(part, RESPONSES)) for part in equation.parts]
        if total is None or any(part is None for part in parts):
            kept.append(equation)
            continue
        remaining = total - sum(part for part in parts if part is not None)
        if remaining == 0:
            kept.append(equation)
        elif remaining > 0:
            kept.append(equation._replace(is_exact=False))
    return kept


def sort_key(cell: CellKey) -> tuple[str, ...]:
    """Return a key that orders cells the same way each time; undated ones come first."""
    period = cell.period
    return (
        cell.family,
        period.kind,
        period.first_on.isoformat() if period.first_on else "",
        cell.organisation,
        cell.service,
        cell.attribute,
        cell.stratum,
    )


def _year_of(day: datetime.date) -> Period:
    return Period("year", datetime.date(day.year, 1, 1), datetime.date(day.year, 12, 31))
