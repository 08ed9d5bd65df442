"""Which cells must be hidden too, or stay published, so that an attack finds nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TypeVar

from patient_feedback.privacy.disclosure.attack import Attack, EarlierEdition, Finding, attack
from patient_feedback.privacy.disclosure.equations import sort_key
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import (
    OTHERS,
    RESPONSES,
    CellKey,
    Family,
    Numbers,
    PublishedRow,
    Quantity,
    whole_of,
)

_Item = TypeVar("_Item")

MOST_WITHHELD = 100
"""What is linked, such as a score in a month, and safe only where more than these are hidden is for a person to look at."""

MENDING_SECONDS = 600.0
"""A gate must end: what is not mended by then remains."""


@dataclass(frozen=True, slots=True)
class Mending:
    """Cells to withhold and cells to keep published, each with a finding that calls for it, and what neither mends."""

    withheld: Mapping[CellKey, Finding]
    kept: Mapping[CellKey, Finding]
    remaining: tuple[Finding, ...]


def mend(
    edition: Edition,
    families: Mapping[str, Family],
    numbers: Numbers,
    found: Attack,
    *,
    earlier: EarlierEdition | None = None,
    seconds: float = MENDING_SECONDS,
) -> Mending:
    """Return what to hide and what to keep until the attack recovers nothing; `found` is its result on `edition`.

    Hiding what the earlier edition shows with the same number protects nobody: such a cell stays published, if it
    reaches the minimum, and is never chosen to hide another. A part that leaves too few others goes itself. Beside any
    other finding the smallest shown cell goes that stands in a sum with it, or is its whole or a part of it; cells of 0
    last, ties by key. That is tried with totals last and with totals first: what withholds fewer cells is taken. Only
    cells linked to a finding are attacked again, and what is linked is mended by itself. Every round decides on at least
    one cell, so it ends. Where neither helps, all linked cells stay as the earlier edition has them: what changed is hidden,
    what did not is shown or hidden as before, so that nobody learns more than from it. What remains then no decision of
    this edition mends.
    """
    mender = _Mender(edition, families, numbers, earlier, time.monotonic() + seconds)
    mended = [mender.mended(findings) for findings in mender.linked_findings(harmful(found))]
    return Mending(
        {place: finding for one in mended for place, finding in one.withheld.items()},
        {place: finding for one in mended for place, finding in one.kept.items()},
        tuple(finding for one in mended for finding in one.remaining),
    )


def harmful(found: Attack) -> tuple[Finding, ...]:
    """Return the findings that forbid publication: all but absences."""
    return tuple(one for one in found.findings if one.recovery != "absence")


def place_of(cell: CellKey) -> CellKey:
    """Return the cell of its score: measures of one score that have families of their own share it."""
    return cell._replace(family=cell.family.partition("/")[0])


class _Mender:
    def __init__(
        self,
        edition: Edition,
        families: Mapping[str, Family],
        numbers: Numbers,
        earlier: EarlierEdition | None,
        deadline: float,
    ) -> None:
        self.families, self.numbers, self.earlier, self.deadline = families, numbers, earlier, deadline
        self.rows = _by_place(edition.rows, attrgetter("cell"))
        self.earlier_rows = _by_place(earlier.edition.rows if earlier else (), attrgetter("cell"))
        self.numbers_of = _by_place(numbers.items(), _cell_of_number)
        self.earlier_numbers_of = _by_place(earlier.true_numbers.items() if earlier else (), _cell_of_number)
        self.equations_of = _by_place(edition.equations, attrgetter("total"))
        self.earlier_equations_of = _by_place(
            earlier.edition.equations if earlier else (), attrgetter("total")
        )
        self.already_out = self._already_out()
        self.beside: dict[CellKey, set[CellKey]] = defaultdict(set)
        self.totals_of: dict[CellKey, set[CellKey]] = defaultdict(set)
        self.parts_of: dict[CellKey, set[CellKey]] = defaultdict(set)
        for equation in edition.equations:
            total, *parts = map(place_of, (equation.total, *equation.parts))
            for cell in (total, *parts):
                self.beside[cell].update({total, *parts} - {cell})
            for part in parts:
                self.totals_of[part].add(total)
        for row in edition.rows:
            whole = whole_of(row.cell, families)
            if whole is not None:
                self._stand_beside(place_of(row.cell), place_of(whole))

    def _stand_beside(self, part: CellKey, whole: CellKey) -> None:
        """What a part shows bounds its whole, and the other way. Whatever hides the whole hides its parts."""
        self.beside[part].add(whole)
        self.beside[whole].add(part)
        self.totals_of[part].add(whole)
        self.parts_of[whole].add(part)

    def linked_findings(self, findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
        """Return the findings by what is linked: no decision on one group bears on another."""
        groups: list[tuple[set[CellKey], list[Finding]]] = []
        for finding in findings:
            place = place_of(finding.cell)
            group = next((group for places, group in groups if place in places), None)
            if group is None:
                groups.append((self._linked({place}), [finding]))
            else:
                group.append(finding)
        return [tuple(group) for _, group in groups]

    def mended(self, findings: tuple[Finding, ...]) -> Mending:
        """Try what there is on linked findings; the cells are left as they were."""
        places = self._linked({place_of(one.cell) for one in findings})
        as_read = {place: self.rows[place] for place in places}
        tried = []
        for with_totals_first in (False, True):
            tried.append(self._one_by_one(findings, with_totals_first))
            self.rows.update(as_read)
        if all(one.remaining for one in tried):
            tried.append(self._as_before_all(findings, places))
            self.rows.update(as_read)
        return min(tried, key=lambda one: (len(one.remaining) > 0, len(one.withheld)))

    def _one_by_one(self, findings: tuple[Finding, ...], with_totals_first: bool) -> Mending:
        withheld: dict[CellKey, Finding] = {}
        kept: dict[CellKey, Finding] = {}
        while findings and len(withheld) < MOST_WITHHELD and time.monotonic() < self.deadline:
            if any(self._is_lost(place_of(one.cell)) for one in findings):
                break
            decided = withheld.keys() | kept.keys()
            chosen = self._to_keep(findings)
            kept |= chosen
            for place in chosen:
                self.rows[place] = self._as_before(place)
            if not chosen:
                chosen = self._to_withhold(findings, with_totals_first)
                withheld |= chosen
                for place in chosen:
                    for one in (place, *self.parts_of[place] - kept.keys()):
                        self.rows[one] = [_hidden(row) for row in self.rows[one]]
            if chosen.keys() <= decided:
                break
            places = self._linked({*chosen, *(place_of(one.cell) for one in findings)})
            findings = harmful(self._attacked(places))
        return Mending(withheld, kept, findings)

    def _as_before_all(self, findings: tuple[Finding, ...], places: set[CellKey]) -> Mending:
        """Hide whatever changed among the places, and show what is out already."""
        finding_of = {place_of(one.cell): one for one in reversed(findings)}
        kept = {one for one in places & self.already_out if self._is_hidden(one)}
        withheld = {one for one in places - self.already_out if self._is_shown(one)}
        if (
            len(withheld) > MOST_WITHHELD
            or time.monotonic() >= self.deadline
            or any(self._is_lost(one) for one in finding_of)
        ):
            return Mending({}, {}, findings)
        for place in kept:
            self.rows[place] = self._as_before(place)
        for place in withheld:
            self.rows[place] = [_hidden(row) for row in self.rows[place]]

        def reasons(chosen: set[CellKey]) -> dict[CellKey, Finding]:
            return {place: finding_of.get(place, findings[0]) for place in sorted(chosen, key=sort_key)}

        return Mending(reasons(withheld), reasons(kept), harmful(self._attacked(places)))

    def _to_keep(self, findings: Iterable[Finding]) -> dict[CellKey, Finding]:
        return {
            place: one
            for one in reversed([*findings])
            if (place := place_of(one.cell)) in self.already_out and self._is_hidden(place)
        }

    def _to_withhold(self, findings: Iterable[Finding], with_totals_first: bool) -> dict[CellKey, Finding]:
        chosen: dict[CellKey, Finding] = {}
        for finding in findings:
            place = place_of(finding.cell)
            beside = self.beside[place]
            if finding.quantity == OTHERS and place not in self.already_out and not self._is_hidden(place):
                chosen[place] = finding
            if chosen.keys() & {place, *beside}:
                continue
            smallest = min(
                (one for one in beside - self.already_out if self._is_shown(one)),
                key=lambda one: (
                    (one in self.totals_of[place]) != with_totals_first,
                    self._responses(one) == 0,
                    self._responses(one),
                    sort_key(one),
                ),
                default=None,
            )
            if smallest is not None:
                chosen[smallest] = finding
        return chosen

    def _as_before(self, place: CellKey) -> list[PublishedRow]:
        """Return the rows of the place as the earlier edition shows them; of a measure that is new nothing is known yet."""
        shown = [
            row
            for row in self.earlier_rows[place]
            if (row.cell.family, row.measure) in _measures(self.rows[place])
        ]
        old = _measures(shown)
        new = [row for row in self.rows[place] if (row.cell.family, row.measure) not in old]
        return [*shown, *(_hidden(row) for row in new)]

    def _is_hidden(self, place: CellKey) -> bool:
        return any(row.is_suppressed for row in self.rows[place])

    def _is_shown(self, place: CellKey) -> bool:
        return bool(self.rows.get(place)) and not self._is_hidden(place)

    def _responses(self, place: CellKey) -> float:
        return self.numbers.get(Quantity(place, RESPONSES), 0)

    def _is_lost(self, place: CellKey) -> bool:
        """Tell whether everybody has seen the number, and it is too small to be shown again."""
        minimum = max(self.families[row.cell.family].minimum for row in self.rows[place])
        return place in self.already_out and 0 < self._responses(place) < minimum

    def _already_out(self) -> set[CellKey]:
        """Return the cells that the earlier edition shows as they are now."""
        if self.earlier is None:
            return set()
        changed = {place_of(cell) for cell in self.earlier.changed_cells(self.families, self.numbers)}
        return {
            place
            for place in map(place_of, self.earlier.cells())
            if place not in changed
            and Quantity(place, RESPONSES) in self.numbers
            and not any(row.is_suppressed for row in self.earlier_rows[place])
            and _measures(self.rows[place]) & _measures(self.earlier_rows[place])
        }

    def _linked(self, places: set[CellKey]) -> set[CellKey]:
        """Return the places and all that sums link them to, over any number of sums."""
        reached, queue = set(places), list(places)
        while queue:
            new = self.beside[queue.pop()] - reached
            reached |= new
            queue += new
        return reached

    def _attacked(self, places: Collection[CellKey]) -> Attack:
        """Attack the places alone, with what the earlier edition says of them."""
        earlier = self.earlier
        if earlier is not None:
            earlier = replace(
                earlier,
                edition=Edition(_at(places, self.earlier_rows), _at(places, self.earlier_equations_of)),
                true_numbers=dict(_at(places, self.earlier_numbers_of)),
            )
        ordered = sorted(places, key=sort_key)
        return attack(
            Edition(_at(ordered, self.rows), _at(ordered, self.equations_of)),
            self.families,
            earlier=earlier,
            true_numbers=dict(_at(ordered, self.numbers_of)),
        )


def _by_place(items: Iterable[_Item], cell_of: Callable[[_Item], CellKey]) -> dict[CellKey, list[_Item]]:
    by_place: dict[CellKey, list[_Item]] = defaultdict(list)
    for item in items:
        by_place[place_of(cell_of(item))].append(item)
    return by_place


def _cell_of_number(item: tuple[Quantity, float]) -> CellKey:
    return item[0].cell


def _at(places: Iterable[CellKey], by_place: Mapping[CellKey, Sequence[_Item]]) -> list[_Item]:
    return [item for place in places for item in by_place.get(place, ())]


def _measures(rows: Iterable[PublishedRow]) -> set[tuple[str, str]]:
    return {(row.cell.family, row.measure) for row in rows}


def _hidden(row: PublishedRow) -> PublishedRow:
    return PublishedRow(row.cell, row.measure, is_suppressed=True)
