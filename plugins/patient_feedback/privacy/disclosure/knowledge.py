"""Everything a reader of one or two editions of a table knows, as unknowns, bounds and linear rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from patient_feedback.privacy.disclosure.linear_system import (
    Flags,
    Floats,
    Integers,
    LinearSystem,
    Rows,
    assemble,
)
from patient_feedback.privacy.disclosure.published import (
    DENOMINATOR,
    RESPONSES,
    REST,
    CellKey,
    Equation,
    Family,
    Numbers,
    PublishedRow,
    Quantity,
    whole_of,
)
from patient_feedback.privacy.disclosure.shown_numbers import (
    HALF_UNIT,
    Range,
    range_of_count,
    range_of_denominator,
    range_of_sum,
)

SHARE_OF_SCORE_RANGE = 0.01
SCORE_WIDTH = 0.1
"""A sum of scores counts as known within this many points, or 1 % of one score's range where that is known."""


@dataclass(frozen=True)
class Edition:
    """What one edition of the published tables says, and the sums among its cells."""

    rows: Sequence[PublishedRow]
    equations: Sequence[Equation]


@dataclass
class _CellFacts:
    """What the rows of one cell say of its numbers.

    names: the numbers that rows of this cell are about. withheld: those that a suppressed row does not state, though
    another table may. ratios: shares and means over a count that is not known, as (numbers, count or '' for a known
    difference, ratio).
    """

    is_suppressed: bool = False
    ranges: dict[str, Range] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    ratios: list[tuple[tuple[str, ...], str, float]] = field(default_factory=list)

    def narrow(self, name: str, found: Range) -> None:
        low, high = self.ranges.get(name, (-inf, inf))
        self.ranges[name] = (max(low, found[0]), min(high, found[1]))


Facts = dict[CellKey, _CellFacts]


@dataclass(frozen=True)
class Knowledge:
    """The system, where each quantity stands in it, and which quantities are under attack.

    targets: quantities of suppressed cells that their own rows do not state. told_by_total: those among them that
    a shown total of 0 tells of all its parts alike, or told in the earlier edition, or that are those of new cells
    without people. negligible_width, width: see
    `presolve`, `pinned_unknowns`.
    is_of_whole (unknowns,): numbers of a family that others are parts of.
    """

    system: LinearSystem
    unknown_of: Mapping[Quantity, int]
    targets: Mapping[Quantity, int]
    told_by_total: frozenset[Quantity]
    width: Floats
    negligible_width: Floats
    is_of_whole: Flags
    suppressed_cells: frozenset[CellKey]
    earlier_unknown_of: Mapping[Quantity, int]

    def cells_of(self, unknowns: Integers) -> set[CellKey]:
        """Return the cells, of either edition, that these unknowns belong to."""
        wanted = set(unknowns.tolist())
        both = (*self.unknown_of.items(), *self.earlier_unknown_of.items())
        return {quantity.cell for quantity, unknown in both if unknown in wanted}

    def values_of(self, numbers: Numbers) -> Floats:
        """Return the true numbers in the order of the unknowns; NaN where one is not known."""
        values = np.full(len(self.system.lower), np.nan)
        for quantity, unknown in self.unknown_of.items():
            number = numbers.get(quantity)
            if number is not None:
                values[unknown] = number
        return values


def knowledge_of(
    edition: Edition,
    families: Mapping[str, Family],
    protection_width: float = 1.0,
    true_numbers: Numbers | None = None,
    earlier: Edition | None = None,
    unchanged: frozenset[CellKey] = frozenset(),
    grown: frozenset[CellKey] = frozenset(),
    earlier_numbers: Numbers | None = None,
) -> Knowledge:
    """Return what a reader knows from `edition`, and from an earlier one whose `unchanged` cells hold the same counts.

    grown: cells that hold no fewer people than in the earlier edition, in any count.
    protection_width: a hidden number counts as known where its possible values lie less than this apart.
    true_numbers, and earlier_numbers of that edition, only keep the reader from assuming that a hidden zero is not one.
    """
    builder = _Builder(families, protection_width, true_numbers or {})
    return builder.build(edition, earlier, unchanged, grown, earlier_numbers or true_numbers or {})


def contradicted_cells(edition: Edition, earlier: Edition, families: Mapping[str, Family]) -> set[CellKey]:
    """Return the cells that both editions show with different numbers."""
    now, before = facts_of(edition.rows, families), facts_of(earlier.rows, families)
    return {
        cell
        for cell in now.keys() & before.keys()
        if any(
            max(found[0], before[cell].ranges[name][0]) > min(found[1], before[cell].ranges[name][1])
            for name, found in now[cell].ranges.items()
            if name in before[cell].ranges
        )
    }


def facts_of(rows: Iterable[PublishedRow], families: Mapping[str, Family]) -> Facts:
    """Return per cell what its published numbers say, read together."""
    by_cell: dict[CellKey, list[PublishedRow]] = defaultdict(list)
    for row in rows:
        by_cell[row.cell].append(row)
    facts: Facts = {}
    for cell, cell_rows in by_cell.items():
        family = families[cell.family]
        known = _CellFacts(names={RESPONSES, family.denominator} | ({REST} if family.has_rest else set()))
        for row in cell_rows:
            known.is_suppressed |= row.is_suppressed
            _read_counts(row, family, known)
        for row in cell_rows:
            _read_ratios(row, family, known)
        facts[cell] = known
    return facts


def _read_counts(row: PublishedRow, family: Family, known: _CellFacts) -> None:
    for name, number in (
        (RESPONSES, row.responses),
        (family.denominator, row.denominator),
        (row.measure, row.numerator if row.measure in family.numerators else None),
    ):
        if number is not None:
            known.narrow(name, (number, number))
        elif row.is_suppressed:
            known.withheld.add(name)
    if row.is_suppressed:
        known.withheld.add(REST)
    net = _terms_of_net(row, family)
    known.names.update(net or (row.measure,))
    if row.measure in family.numerators and (row.low is not None or row.high is not None):
        found = range_of_denominator(row.share, row.low, row.high)
        if found is not None:
            known.narrow(family.denominator, found)


def _read_ratios(row: PublishedRow, family: Family, known: _CellFacts) -> None:
    net = _terms_of_net(row, family)
    names = net or (row.measure,)
    low, high = known.ranges.get(family.denominator, (0, inf))
    denominator = int(low) if low == high else None
    if row.share is not None and (net or row.measure in family.numerators):
        if denominator is None:
            known.ratios.append((names, family.denominator, row.share))
        elif net:
            known.ratios.append((names, "", float(sum(range_of_count(row.share, denominator)) / 2)))
        else:
            known.narrow(row.measure, range_of_count(row.share, denominator))
    if row.mean is not None and row.measure in family.scores:
        if denominator is None:
            known.ratios.append((names, family.denominator, row.mean))
        else:
            known.narrow(row.measure, range_of_sum(row.mean, denominator))


def _terms_of_net(row: PublishedRow, family: Family) -> tuple[str, str] | None:
    return next(((plus, minus) for name, plus, minus in family.nets if name == row.measure), None)


class _Builder:
    def __init__(
        self, families: Mapping[str, Family], protection_width: float, true_numbers: Numbers
    ) -> None:
        self.families, self.true_numbers = families, true_numbers
        self.protection_width = protection_width
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.is_integer: list[bool] = []
        self.width: list[float] = []
        self.negligible: list[float] = []
        self.wholes = {family.part_of for family in families.values()}
        self.is_of_whole: list[bool] = []
        self.rows = Rows()
        self.unknown_of: dict[Quantity, int] = {}
        self.earlier_unknown_of: dict[Quantity, int] = {}

    def build(
        self,
        edition: Edition,
        earlier: Edition | None,
        unchanged: frozenset[CellKey],
        grown: frozenset[CellKey],
        earlier_numbers: Numbers,
    ) -> Knowledge:
        facts = facts_of(edition.rows, self.families)
        self._add_edition(facts, edition.equations, self.unknown_of, {}, frozenset(), self.true_numbers)
        told = _told_by_total(facts, edition.equations, self.families)
        if earlier is not None:
            earlier_facts = facts_of(earlier.rows, self.families)
            self._add_edition(
                earlier_facts,
                earlier.equations,
                self.earlier_unknown_of,
                self.unknown_of,
                unchanged,
                earlier_numbers,
            )
            self._add_growth(facts, earlier_facts, grown - unchanged)
            told_before = _told_by_total(earlier_facts, earlier.equations, self.families)
            told |= {quantity for quantity in told_before if quantity.cell in unchanged}
            told |= self._told_by_absence(facts, earlier_facts) | self._still_nobody(earlier_facts)
        targets = {
            Quantity(cell, name): self.unknown_of[Quantity(cell, name)]
            for cell, known in facts.items()
            if known.is_suppressed
            for name in self.families[cell.family].quantities
            if name in known.names & known.withheld and Quantity(cell, name) not in told
        }
        return Knowledge(
            system=assemble(
                np.asarray(self.lower, float),
                np.asarray(self.upper, float),
                np.asarray(self.is_integer, bool),
                self.rows,
            ),
            unknown_of=self.unknown_of,
            targets=targets,
            told_by_total=told,
            width=np.asarray(self.width, float),
            negligible_width=np.asarray(self.negligible, float),
            is_of_whole=np.asarray(self.is_of_whole, bool),
            suppressed_cells=frozenset(cell for cell, known in facts.items() if known.is_suppressed),
            earlier_unknown_of=self.earlier_unknown_of,
        )

    def _add_edition(
        self,
        facts: Facts,
        equations: Sequence[Equation],
        unknown_of: dict[Quantity, int],
        shared: Mapping[Quantity, int],
        unchanged: frozenset[CellKey],
        numbers: Numbers,
    ) -> None:
        has_hidden_total = {
            part
            for equation in equations
            if equation.total in facts and facts[equation.total].is_suppressed
            for part in equation.parts
        }
        for cell, known in facts.items():
            family = self.families[cell.family]
            for name in family.quantities:
                if name not in known.names:
                    continue
                quantity = Quantity(cell, name)
                is_zero = numbers.get(quantity) == 0
                found = self._first_range(quantity, known, family, cell in has_hidden_total, is_zero)
                if cell in unchanged and quantity in shared:
                    unknown = shared[quantity]
                    self.lower[unknown] = max(self.lower[unknown], found[0])
                    self.upper[unknown] = min(self.upper[unknown], found[1])
                    unknown_of[quantity] = unknown
                else:
                    unknown_of[quantity] = self._add_unknown(quantity, family, found)
        for cell, known in facts.items():
            self._add_rows_of_cell(cell, known, unknown_of)
            whole = whole_of(cell, self.families)
            if whole in facts and (known.is_suppressed or facts[whole].is_suppressed):
                self._add_rows_of_part(cell, whole, unknown_of)
        for equation in equations:
            self._add_equation(equation, facts, unknown_of)

    def _told_by_absence(self, facts: Facts, earlier_facts: Facts) -> frozenset[Quantity]:
        """Return the numbers of new cells without people: a service that there was not yet says nothing of the others."""
        return frozenset(
            Quantity(cell, name)
            for cell in facts.keys() - earlier_facts.keys()
            if self.true_numbers.get(Quantity(cell, RESPONSES)) == 0
            for name in self.families[cell.family].quantities
        )

    def _still_nobody(self, earlier_facts: Facts) -> frozenset[Quantity]:
        """Return the numerators that were shown as 0 and are: who came since is in none of them, as two shown totals say."""
        return frozenset(
            quantity
            for cell, known in earlier_facts.items()
            for quantity in (Quantity(cell, name) for name in self.families[cell.family].numerators)
            if known.ranges.get(quantity.name) == (0, 0) and self.true_numbers.get(quantity) == 0
        )

    def _add_growth(self, facts: Facts, earlier_facts: Facts, grown: frozenset[CellKey]) -> None:
        for cell in grown & facts.keys() & earlier_facts.keys():
            if not (facts[cell].is_suppressed or earlier_facts[cell].is_suppressed):
                continue
            family = self.families[cell.family]
            for name in family.quantities:
                quantity = Quantity(cell, name)
                now, before = self.unknown_of.get(quantity), self.earlier_unknown_of.get(quantity)
                if name not in family.scores and now is not None and before is not None:
                    self.rows.add([now, before], [1, -1], 0, inf)

    @staticmethod
    def _first_range(
        quantity: Quantity, known: _CellFacts, family: Family, has_hidden_total: bool, is_zero: bool
    ) -> Range:
        is_score = quantity.name in family.scores
        low, high = known.ranges.get(quantity.name, (-inf, inf) if is_score else (0, inf))
        if is_score:
            return low, high
        low = max(low, 0)
        if known.is_suppressed and quantity.name in (RESPONSES, DENOMINATOR):
            if (family.always_shows_zeros or not has_hidden_total) and not is_zero:
                low = max(low, family.hidden_at_least)
            if family.hidden_at_most is not None and quantity.name == RESPONSES:
                high = min(high, family.hidden_at_most)
        return low, high

    def _add_unknown(self, quantity: Quantity, family: Family, found: Range) -> int:
        is_score = quantity.name in family.scores
        if is_score and family.score_range is not None:
            narrow = SHARE_OF_SCORE_RANGE * (family.score_range[1] - family.score_range[0])
        else:
            narrow = SCORE_WIDTH
        self.lower.append(found[0])
        self.upper.append(found[1])
        self.is_integer.append(not is_score)
        self.width.append(narrow if is_score else self.protection_width)
        self.negligible.append(narrow if is_score else 0.0)
        self.is_of_whole.append(family.slug in self.wholes)
        return len(self.lower) - 1

    def _add_rows_of_cell(self, cell: CellKey, known: _CellFacts, unknown_of: Mapping[Quantity, int]) -> None:
        family = self.families[cell.family]

        def at(name: str) -> int:
            return unknown_of[Quantity(cell, name)]

        is_told = all(
            low == high
            for low, high in (known.ranges.get(name, (0, 1)) for name in known.names if name != REST)
        )
        if is_told and not family.has_rest:
            return
        denominator = at(family.denominator)
        if family.has_rest:
            counted = [at(name) for name in family.numerators if name in known.names]
            if counted:
                self.rows.add([denominator, *counted, at(REST)], [1, -1, -1], 0, 0)
        for group, is_complete in self._groups_of(family):
            counted = [at(name) for name in group if name in known.names]
            has_all = is_complete and len(counted) == len(group)
            if counted:
                self.rows.add([denominator, *counted], [1, *[-1] * len(counted)], 0, 0 if has_all else inf)
        if family.has_own_denominator:
            self.rows.add([denominator, at(RESPONSES)], [1, -1], 0, inf)
        if family.score_range is not None:
            for name in family.scores:
                if name not in known.names:
                    continue
                self.rows.add([at(name), denominator], [1, -family.score_range[0]], 0, inf)
                self.rows.add([at(name), denominator], [1, -family.score_range[1]], -inf, 0)
        for names, base, ratio in known.ratios:
            signs = [1.0, -1.0][: len(names)]
            unknowns = [at(name) for name in names]
            if base:
                self.rows.add([*unknowns, at(base)], [*signs, -(ratio - HALF_UNIT)], 0, inf)
                self.rows.add([*unknowns, at(base)], [*signs, -(ratio + HALF_UNIT)], -inf, 0)
            else:
                self.rows.add(unknowns, signs, ratio, ratio)

    def _add_rows_of_part(self, part: CellKey, whole: CellKey, unknown_of: Mapping[Quantity, int]) -> None:
        """Whoever is not in the part is in the whole with something else."""
        people, all_people = (unknown_of[Quantity(cell, RESPONSES)] for cell in (part, whole))
        self.rows.add([all_people, people], [1, -1], 0, inf)
        if all(self.families[cell.family].has_own_denominator for cell in (part, whole)):
            counted, all_counted = (unknown_of[Quantity(cell, DENOMINATOR)] for cell in (part, whole))
            self.rows.add([all_counted, counted, all_people, people], [1, -1, -1, 1], 0, inf)

    @staticmethod
    def _groups_of(family: Family) -> list[tuple[tuple[str, ...], bool]]:
        """Return the numerators whose sum the denominator bounds; True where the sum is the denominator."""
        exclusive = (family.numerators,) if family.exclusive is None else family.exclusive
        grouped = {name for group in (*exclusive, *family.complete) for name in group}
        alone = tuple((name,) for name in family.numerators if name not in grouped)
        complete = set(family.complete)
        return [(group, group in complete) for group in dict.fromkeys((*family.complete, *exclusive, *alone))]

    def _add_equation(self, equation: Equation, facts: Facts, unknown_of: Mapping[Quantity, int]) -> None:
        cells = (equation.total, *equation.parts)
        if any(cell not in facts for cell in cells):
            return
        if not any(facts[cell].is_suppressed for cell in cells):
            return
        for name in self.families[equation.total.family].quantities:
            if any(name not in facts[cell].names for cell in cells):
                continue
            unknowns = [unknown_of[Quantity(cell, name)] for cell in cells]
            is_score = name in self.families[equation.total.family].scores
            if is_score and not equation.is_exact:
                continue
            self.rows.add(unknowns, [1.0, *[-1.0] * len(equation.parts)], 0, 0 if equation.is_exact else inf)


def _told_by_total(
    facts: Facts, equations: Sequence[Equation], families: Mapping[str, Family]
) -> frozenset[Quantity]:
    """Return the counts that a shown total, or whole, of 0 fixes at 0 in all of its parts, and in theirs.

    "Nobody of 107 was dissatisfied" is published on purpose and says as much of each part of the 107.
    """
    parts_of: dict[CellKey, list[CellKey]] = defaultdict(list)
    for equation in equations:
        parts_of[equation.total].extend(equation.parts)
    for cell in facts:
        whole = whole_of(cell, families)
        if whole in facts:
            parts_of[whole].append(cell)
    told: set[Quantity] = set()
    for total in parts_of:
        known = facts.get(total)
        if known is None or known.is_suppressed:
            continue
        family = families[total.family]
        ranges = dict(known.ranges)
        counted = [ranges.get(name, (0, inf)) for name in family.numerators]
        denominator = ranges.get(family.denominator, (0, inf))
        if family.has_rest and denominator[1] == sum(low for low, _ in counted):
            ranges[REST] = (0, 0)
        names = [
            name
            for name in family.quantities
            if name in known.names | {REST} and ranges.get(name) == (0, 0) and name not in family.scores
        ]
        reached, queue = set(), [total] if names else []
        while queue:
            for part in parts_of.get(queue.pop(), ()):
                if part not in reached:
                    reached.add(part)
                    queue.append(part)
        told.update(Quantity(part, name) for part in reached for name in names)
    return frozenset(told)
