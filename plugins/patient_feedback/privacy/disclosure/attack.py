"""The attack on published tables: which suppressed numbers can be worked out from what is shown?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal

import numpy as np

from patient_feedback.privacy.disclosure.equations import sort_key
from patient_feedback.privacy.disclosure.knowledge import (
    Edition,
    Knowledge,
    contradicted_cells,
    facts_of,
    knowledge_of,
)
from patient_feedback.privacy.disclosure.linear_system import Flags, Floats, presolve
from patient_feedback.privacy.disclosure.published import (
    ALL,
    OTHERS,
    RESPONSES,
    CellKey,
    Equation,
    Family,
    Numbers,
    Quantity,
    whole_of,
    with_rest,
)
from patient_feedback.privacy.disclosure.solver import pinned_unknowns

Recovery = Literal["exact", "interval", "group_below_minimum", "absence"]
EditionUsed = Literal["this_edition", "earlier_edition"]

SOLVE_SECONDS = 20.0
"""One call of the solver may take so long; what it leaves open counts as undecided, never as safe."""

SLACK = 1e-6
EDITION_ROUNDS = 8
"""So often are assumptions that contradict a table taken back before none is made."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A suppressed number that a reader works out. Its range is kept out of the representation, and of logs.

    recovery: exact, one value only; interval, values less than the protection width apart;
    absence, a 0 of a numerator whose family leaves absences open;
    group_below_minimum, hidden cells whose sum is known and stands for fewer people than the minimum
    (`cell` is the first of them), or what wholes hold beside their parts, where it is known and does.
    """

    cell: CellKey
    quantity: str
    recovery: Recovery
    edition: EditionUsed
    low: float = field(repr=False)
    high: float = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attack found. Undecided: suppressed cells on which the solver ran out of time, or whose rows contradict."""

    findings: tuple[Finding, ...]
    cell_count: int
    suppressed_cell_count: int
    undecided_cells: tuple[CellKey, ...]


@dataclass(frozen=True)
class EarlierEdition:
    """What was published before. Cells of periods that run, or have no date, may be unchanged since like any other.

    true_numbers: the numbers behind it, hidden ones too, as far as they are known.
    """

    edition: Edition
    true_numbers: Numbers = field(default_factory=dict)

    def cells(self) -> set[CellKey]:
        """Return the cells that it has."""
        return {row.cell for row in self.edition.rows}

    def changed_cells(self, families: Mapping[str, Family], true_numbers: Numbers) -> set[CellKey]:
        """Return the cells of which a number, shown or hidden, is another one now."""
        shown = facts_of(self.edition.rows, families)
        return {
            cell
            for cell, known in shown.items()
            if any(
                not low - SLACK <= true_numbers.get(Quantity(cell, name), low) <= high + SLACK
                for name, (low, high) in known.ranges.items()
            )
        } | {
            quantity.cell
            for quantity, number in self.true_numbers.items()
            if quantity in true_numbers and true_numbers[quantity] != number
        }


def attack(
    edition: Edition,
    families: Mapping[str, Family],
    *,
    earlier: EarlierEdition | None = None,
    true_numbers: Numbers | None = None,
    protection_width: float = 1.0,
    solve_seconds: float = SOLVE_SECONDS,
    seed: int = 0,
) -> Attack:
    """Return every suppressed number that the published ones give away.

    The reader knows what is shown, the sums among cells, that counts are whole and not negative, that no numerator
    exceeds its denominator, and that a hidden cell of shown totals is not 0. A number is recovered when its
    feasibility interval, the range of values that agree with all of this, is shorter than `protection_width`
    (Hundepool et al., Statistical Disclosure Control, 2012, 4.3: a cell is safe when the interval covers the
    protection interval around it). The default of 1 finds exactly known counts. That a cell holds 1 to minimum - 1
    is no finding: its suppression says so. Where true_numbers are given, only a recovered value that is the true
    one counts: assumptions about the earlier edition may fail. What a shown total of 0 says of its parts is
    none either.
    """
    truth = with_rest(true_numbers or {}, families)
    settings = _Settings(families, truth, protection_width, solve_seconds, seed)
    today = knowledge_of(edition, families, protection_width, truth)
    result = _recover(today, edition.equations, settings, "this_edition")
    findings, undecided = dict(result.findings), set(result.undecided)
    if earlier is not None:
        older = _with_earlier(edition, earlier, settings)
        for key, finding in older.findings.items():
            findings.setdefault(key, finding)
        undecided |= older.undecided
    return Attack(
        findings=tuple(
            sorted(findings.values(), key=lambda one: (sort_key(one.cell), one.quantity, one.recovery))
        ),
        cell_count=len({row.cell for row in edition.rows}),
        suppressed_cell_count=len(today.suppressed_cells),
        undecided_cells=tuple(sorted(undecided, key=sort_key)),
    )


@dataclass(frozen=True)
class _Settings:
    families: Mapping[str, Family]
    truth: Numbers
    protection_width: float
    solve_seconds: float
    seed: int


@dataclass(frozen=True)
class _Result:
    findings: Mapping[tuple[CellKey, str, Recovery], Finding]
    undecided: set[CellKey]
    contradicted: set[CellKey]


def _with_earlier(edition: Edition, earlier: EarlierEdition, settings: _Settings) -> _Result:
    """Attack with the earlier edition, taking cells as unchanged but for those that did change.

    Of those the true numbers tell, as far as they are given: what rests on them is a guess, right by chance or wrong, and
    recovers nothing. Of others the tables tell: where they contradict it is taken back that cells are unchanged.
    """
    changed = contradicted_cells(edition, earlier.edition, settings.families)
    unchanged = (
        earlier.cells()
        - _with_totals(changed, (*edition.equations, *earlier.edition.equations))
        - earlier.changed_cells(settings.families, settings.truth)
    )
    before = with_rest(earlier.true_numbers, settings.families)
    grown = _grown_cells(before, settings)
    # Where it is not known what was counted then, today's number is the best guess.
    before = {**settings.truth, **before}

    def recover() -> _Result:
        known = knowledge_of(
            edition,
            settings.families,
            settings.protection_width,
            settings.truth,
            earlier.edition,
            frozenset(unchanged),
            frozenset(grown),
            before,
        )
        return _recover(known, edition.equations, settings, "earlier_edition", before)

    result = recover()
    for _ in range(EDITION_ROUNDS):
        contradicted = result.contradicted & unchanged
        if not contradicted:
            break
        # Totals change where any part does, so they are doubted first.
        totals = {cell for cell in contradicted if ALL in (cell.organisation, cell.service)}
        unchanged -= totals or contradicted
        result = recover()
    return result


def _grown_cells(before: Numbers, settings: _Settings) -> set[CellKey]:
    """Return the cells that are known to hold no fewer people than before, in any count."""
    counts_of = defaultdict(list)
    for quantity, number in before.items():
        family = settings.families.get(quantity.cell.family)
        if family is not None and quantity.name not in family.scores:
            counts_of[quantity.cell].append(number <= settings.truth.get(quantity, -inf))
    return {cell for cell, is_grown in counts_of.items() if all(is_grown)}


def _with_totals(cells: set[CellKey], equations: tuple[Equation, ...]) -> set[CellKey]:
    """Return the cells and every total above them."""
    totals_of: dict[CellKey, list[CellKey]] = {}
    for equation in equations:
        for part in equation.parts:
            totals_of.setdefault(part, []).append(equation.total)
    reached, queue = set(cells), list(cells)
    while queue:
        for total in totals_of.get(queue.pop(), ()):
            if total not in reached:
                reached.add(total)
                queue.append(total)
    return reached


def _recover(
    known: Knowledge,
    equations: Sequence[Equation],
    settings: _Settings,
    edition: EditionUsed,
    earlier_truth: Numbers | None = None,
) -> _Result:
    presolved = presolve(known.system, known.negligible_width)
    system, columns = presolved.system, presolved.free
    is_target = np.zeros(len(known.system.lower), bool)
    target_unknowns = np.fromiter(known.targets.values(), np.int64, len(known.targets))
    is_target[target_unknowns] = True
    witness = _witness(known, settings.truth, earlier_truth)
    ranges = pinned_unknowns(
        system,
        is_target[columns],
        known.width[columns],
        None if witness is None else witness[columns],
        settings.solve_seconds,
        settings.seed,
        known.is_of_whole[columns],
    )
    low, high = presolved.lower.copy(), presolved.upper.copy()
    low[columns], high[columns] = system.lower, system.upper
    pinned = high - low < known.width - 1e-6
    pinned[columns] |= ranges.is_pinned
    low[columns[ranges.is_pinned]] = ranges.low[ranges.is_pinned]
    high[columns[ranges.is_pinned]] = ranges.high[ranges.is_pinned]
    contradicted = presolved.conflicts.copy()
    contradicted[columns] |= ranges.is_impossible
    pinned &= ~contradicted
    unclear = contradicted.copy()
    unclear[columns] |= ranges.is_undecided
    findings = {}
    for finding in (
        *_single_findings(known, low, high, pinned, settings, edition),
        *_group_findings(known, equations, low, high, pinned, settings, edition),
        *_other_findings(known, equations, low, high, pinned, settings, edition),
    ):
        findings[finding.cell, finding.quantity, finding.recovery] = finding
    contradicted_unknowns = np.flatnonzero(contradicted)
    return _Result(
        findings,
        {quantity.cell for quantity, unknown in known.targets.items() if unclear[unknown]},
        known.cells_of(contradicted_unknowns) if contradicted_unknowns.size else set(),
    )


def _witness(known: Knowledge, truth: Numbers, earlier_truth: Numbers | None) -> Floats | None:
    """Return the true numbers as a solution that need not be searched for, where they are known."""
    if not truth:
        return None
    values = known.values_of(truth)
    for quantity, unknown in known.earlier_unknown_of.items():
        number = (earlier_truth or truth).get(quantity)
        if np.isnan(values[unknown]) and number is not None:
            values[unknown] = number
    return values


def _single_findings(
    known: Knowledge, low: Floats, high: Floats, pinned: Flags, settings: _Settings, edition: EditionUsed
) -> list[Finding]:
    found = []
    for quantity, unknown in known.targets.items():
        if not pinned[unknown]:
            continue
        true_number = settings.truth.get(quantity)
        tolerance = (
            max(0.5 * float(known.width[unknown]), 1e-6) if not known.system.is_integer[unknown] else 1e-6
        )
        if (
            true_number is not None
            and not low[unknown] - tolerance <= true_number <= high[unknown] + tolerance
        ):
            continue
        is_exact = high[unknown] - low[unknown] <= 1e-6 or not known.system.is_integer[unknown]
        is_open = quantity.name in settings.families[quantity.cell.family].open_absences
        recovery: Recovery = "exact" if is_exact else "interval"
        found.append(
            Finding(
                quantity.cell,
                quantity.name,
                "absence" if is_open and high[unknown] == 0 else recovery,
                edition,
                float(low[unknown]),
                float(high[unknown]),
            )
        )
    return found


def _group_findings(
    known: Knowledge,
    equations: Sequence[Equation],
    low: Floats,
    high: Floats,
    pinned: Flags,
    settings: _Settings,
    edition: EditionUsed,
) -> list[Finding]:
    """Return the sums of hidden cells that are known and stand for fewer people than the minimum."""

    def is_known(unknown: int) -> bool:
        return bool(pinned[unknown] and high[unknown] == low[unknown])

    found = []
    for equation in equations:
        family = settings.families[equation.total.family]
        total = known.unknown_of.get(Quantity(equation.total, RESPONSES))
        parts = [(part, known.unknown_of.get(Quantity(part, RESPONSES))) for part in equation.parts]
        if not equation.is_exact or total is None or not is_known(total):
            continue
        hidden = [part for part, unknown in parts if unknown is None or not is_known(unknown)]
        if len(hidden) < 2:
            continue
        remaining = float(low[total]) - sum(
            float(low[unknown]) for _, unknown in parts if unknown is not None and is_known(unknown)
        )
        if not 0 < remaining < family.minimum:
            continue
        numbers = [settings.truth.get(Quantity(part, RESPONSES)) for part in hidden]
        if None not in numbers and sum(number for number in numbers if number is not None) != remaining:
            continue
        found.append(Finding(hidden[0], RESPONSES, "group_below_minimum", edition, remaining, remaining))
    return found


def _other_findings(
    known: Knowledge,
    equations: Sequence[Equation],
    low: Floats,
    high: Floats,
    pinned: Flags,
    settings: _Settings,
    edition: EditionUsed,
) -> list[Finding]:
    """Return what wholes hold beside their parts, where it is known and stands for fewer people than the minimum.

    That is of one cell, or of hidden cells together. Those have none beside theirs where all of them are in the part.
    """

    def told(quantity: Quantity) -> float | None:
        unknown = known.unknown_of.get(quantity)
        is_known = unknown is not None and pinned[unknown] and high[unknown] == low[unknown]
        return float(low[unknown]) if is_known else None

    cells = {cell for cell, _ in known.unknown_of if settings.families[cell.family].part_of}
    others = {cell: number for cell in cells if (number := _others(cell, told, settings)) is not None}
    sums = [(equation.total, equation.parts) for equation in equations if equation.is_exact]
    found = []
    for total, parts in [*sums, *((cell, ()) for cell in others)]:
        if not others.get(total):
            continue
        hidden = [part for part in parts if part not in others]
        remaining = others[total] - sum(others.get(part, 0) for part in parts)
        if parts and not hidden:
            continue
        people = [_fewest_others(cell, settings) for cell in hidden or [total]]
        numbers = [_others(cell, settings.truth.get, settings) for cell in hidden or [total]]
        fewest, number = (
            None if None in counts else sum(filter(None, counts)) for counts in (people, numbers)
        )
        if (remaining if fewest is None else fewest) >= settings.families[total.family].minimum:
            continue
        if remaining >= 0 and number in (None, remaining):
            found.append(
                Finding((hidden or [total])[0], OTHERS, "group_below_minimum", edition, remaining, remaining)
            )
    return found


def _others(
    cell: CellKey, number_of: Callable[[Quantity], float | None], settings: _Settings
) -> float | None:
    whole = whole_of(cell, settings.families)
    assert whole is not None
    all_counted, counted = (
        number_of(Quantity(one, settings.families[one.family].denominator)) for one in (whole, cell)
    )
    return None if all_counted is None or counted is None else all_counted - counted


def _fewest_others(cell: CellKey, settings: _Settings) -> float | None:
    """Return how many people at the least are behind what the whole holds beside this part."""
    whole = whole_of(cell, settings.families)
    assert whole is not None
    others = _others(cell, settings.truth.get, settings)
    all_people, people = (settings.truth.get(Quantity(one, RESPONSES)) for one in (whole, cell))
    if others is None or all_people is None or people is None:
        return None
    return max(all_people - people, min(others, 1))
