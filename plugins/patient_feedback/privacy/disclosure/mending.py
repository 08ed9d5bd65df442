"""Which cells must be hidden too, so that an attack finds nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from patient_feedback.privacy.disclosure.attack import Attack, EarlierEdition, Finding, attack
from patient_feedback.privacy.disclosure.equations import sort_key
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import (
    RESPONSES,
    CellKey,
    Equation,
    Family,
    Numbers,
    PublishedRow,
    Quantity,
)


@dataclass(frozen=True, slots=True)
class Mending:
    """Cells to hide beside those that are hidden, in the order they were chosen, and what hiding cannot mend."""

    hidden: tuple[CellKey, ...]
    remaining: tuple[Finding, ...]


def further_suppressions(
    numbers: Numbers,
    suppressed: Collection[CellKey],
    equations: Sequence[Equation],
    families: Mapping[str, Family],
    *,
    earlier: EarlierEdition | None = None,
    protection_width: float = 1.0,
) -> Mending:
    """Return more cells to hide until the attack recovers nothing.

    numbers: every number of every cell. Greedy and deterministic: for each finding the smallest shown cell that
    stands in a sum with it goes, cells of 0 and totals last, ties by key. Every round hides at least one cell, so it
    ends. What remains are numbers that no cell of this edition gives away, such as those that the earlier one shows.
    """
    cells = {quantity.cell for quantity in numbers}
    hidden = set(suppressed)
    added: list[CellKey] = []
    equations_with: dict[CellKey, list[Equation]] = defaultdict(list)
    for equation in equations:
        for cell in (equation.total, *equation.parts):
            equations_with[cell].append(equation)
    in_question = {cell.family for cell in hidden}
    while True:
        found = _attacked(
            {cell for cell in cells if cell.family in in_question},
            hidden,
            numbers,
            equations,
            families,
            earlier,
            protection_width,
        )
        chosen: dict[CellKey, None] = {}
        harmful = tuple(one for one in found.findings if one.recovery != "absence")
        for finding in harmful:
            beside = _to_hide(finding.cell, equations_with, hidden, numbers)
            if beside is not None and not chosen.keys() & _neighbours(finding.cell, equations_with):
                chosen[beside] = None
        if not chosen:
            return Mending(tuple(added), harmful)
        in_question = {finding.cell.family for finding in harmful}
        hidden |= chosen.keys()
        added += sorted(chosen, key=sort_key)


def published_rows(
    numbers: Numbers, suppressed: Collection[CellKey], families: Mapping[str, Family]
) -> list[PublishedRow]:
    """Return the rows of a table that shows every count of a cell, or none."""
    hidden = frozenset(suppressed)
    rows = []
    for cell in sorted({quantity.cell for quantity in numbers}, key=sort_key):
        family = families[cell.family]
        for measure in (*family.numerators, *family.scores) or (RESPONSES,):
            if cell in hidden:
                rows.append(PublishedRow(cell, measure, True))
                continue
            responses = int(numbers[Quantity(cell, RESPONSES)])
            denominator = int(numbers[Quantity(cell, family.denominator)])
            number = numbers[Quantity(cell, measure)]
            if measure in family.scores:
                mean = round(number / denominator, 6) if denominator else None
                rows.append(PublishedRow(cell, measure, False, responses, denominator, mean=mean))
            else:
                rows.append(PublishedRow(cell, measure, False, responses, denominator, int(number)))
    return rows


def _attacked(
    cells: Collection[CellKey],
    hidden: set[CellKey],
    numbers: Numbers,
    equations: Sequence[Equation],
    families: Mapping[str, Family],
    earlier: EarlierEdition | None,
    protection_width: float,
) -> Attack:
    slugs = {cell.family for cell in cells}
    own = {quantity: number for quantity, number in numbers.items() if quantity.cell.family in slugs}
    edition = Edition(
        published_rows(own, hidden, families),
        [equation for equation in equations if equation.total.family in slugs],
    )
    before = None
    if earlier is not None:
        before = EarlierEdition(
            Edition(
                [row for row in earlier.edition.rows if row.cell.family in slugs],
                [equation for equation in earlier.edition.equations if equation.total.family in slugs],
            ),
            earlier.published_on,
        )
    return attack(edition, families, earlier=before, true_numbers=own, protection_width=protection_width)


def _to_hide(
    cell: CellKey, equations_with: Mapping[CellKey, list[Equation]], hidden: set[CellKey], numbers: Numbers
) -> CellKey | None:
    totals = {equation.total for equation in equations_with.get(cell, ())}
    shown = _neighbours(cell, equations_with) - hidden
    return min(
        shown,
        key=lambda one: (
            one in totals,
            numbers.get(Quantity(one, RESPONSES), 0) == 0,
            numbers.get(Quantity(one, RESPONSES), 0),
            sort_key(one),
        ),
        default=None,
    )


def _neighbours(cell: CellKey, equations_with: Mapping[CellKey, list[Equation]]) -> set[CellKey]:
    return {
        other
        for equation in equations_with.get(cell, ())
        for other in (equation.total, *equation.parts)
        if other != cell
    }
