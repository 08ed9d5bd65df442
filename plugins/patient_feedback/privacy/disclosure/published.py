"""What a published table says: its cells, the measures that share their people, and the sums among cells."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

ALL = "all"
"""Stands for a total in every dimension."""

RESPONSES = "responses"
DENOMINATOR = "denominator"
REST = "rest"
"""People of the denominator who are in no numerator."""
OTHERS = "others"
"""What a whole holds beside a part of it, such as the comments that do not speak of a side: no cell, but as good as one."""


class Period(NamedTuple):
    """The days that a cell covers; both ends are None for answers without a date."""

    kind: str
    first_on: datetime.date | None = None
    last_on: datetime.date | None = None


class CellKey(NamedTuple):
    """Where a number stands: one family of measures, period, organisation, service and stratum."""

    family: str
    period: Period
    organisation: str = ALL
    service: str = ALL
    attribute: str = ALL
    stratum: str = ALL


class Quantity(NamedTuple):
    """One number behind a cell: RESPONSES, DENOMINATOR, REST, or a numerator or sum of scores by its name."""

    cell: CellKey
    name: str


Numbers = Mapping[Quantity, float]
"""Numbers as they are, whether published or not."""


@dataclass(frozen=True, slots=True)
class Family:
    """Measures over the same people: a reader who learns one of their counts learns something of the others.

    minimum: the fewest responses a cell may rest on. numerators: counts of people, integers.
    exclusive: groups of numerators of which nobody is in two; None: all of them are one such group.
    complete: groups of which everybody is in exactly one.
    nets: name, numerator and the numerator subtracted from it, for measures such as promoters less detractors.
    scores: sums of scores behind published means, with the range of one score where it is known.
    has_own_denominator: shares are over something else than responses, such as comments; never fewer of them.
    open_absences: numerators of which a reader may learn that nobody in a hidden cell is in them.
    hidden_at_least: what a hidden cell holds if all of its totals are shown: the rule shows zeros.
    always_shows_zeros: so it does below a hidden total too.
    hidden_at_most: the most that a hidden cell can hold, where only small cells are hidden and nothing beside them.
    part_of: the family whose cells hold all that is counted here, and more.
    """

    slug: str
    minimum: int
    numerators: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] | None = None
    complete: tuple[tuple[str, ...], ...] = ()
    nets: tuple[tuple[str, str, str], ...] = ()
    scores: tuple[str, ...] = ()
    score_range: tuple[float, float] | None = None
    has_own_denominator: bool = False
    open_absences: tuple[str, ...] = ()
    hidden_at_least: int = 1
    always_shows_zeros: bool = False
    hidden_at_most: int | None = None
    part_of: str | None = None

    @property
    def denominator(self) -> str:
        return DENOMINATOR if self.has_own_denominator else RESPONSES

    @property
    def quantities(self) -> tuple[str, ...]:
        """Every number that a cell of this family holds."""
        own = (DENOMINATOR,) if self.has_own_denominator else ()
        rest = (REST,) if self.has_rest else ()
        return (RESPONSES, *own, *self.numerators, *rest, *self.scores)

    @property
    def has_rest(self) -> bool:
        """Whether those in no numerator are a number of their own: all others if there is one numerator."""
        return len(self.numerators) == 1 and not self.complete


class PublishedRow(NamedTuple):
    """One measure of one cell, as a reader sees it; None where a number is held back or has no meaning.

    measure: the numerator, net or score of the family. share: 0 to 1, for a net -1 to 1. low, high: its Wilson
    interval. mean: of a score. All four are rounded to six decimals.
    """

    cell: CellKey
    measure: str
    is_suppressed: bool
    responses: int | None = None
    denominator: int | None = None
    numerator: int | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None


class Equation(NamedTuple):
    """A total is the sum of its parts in every count; at least the sum where `is_exact` is False."""

    total: CellKey
    parts: tuple[CellKey, ...]
    is_exact: bool = True


def whole_of(cell: CellKey, families: Mapping[str, Family]) -> CellKey | None:
    """Return the cell that holds all that this one counts, and more; None where its family is no part."""
    whole = families[cell.family].part_of
    return cell._replace(family=whole) if whole else None


def with_rest(numbers: Numbers, families: Mapping[str, Family]) -> dict[Quantity, float]:
    """Return the numbers with those of the people in no numerator, where their family counts them."""
    completed = dict(numbers)
    for quantity, number in numbers.items():
        family = families.get(quantity.cell.family)
        if family is None or not family.has_rest or quantity.name != family.denominator:
            continue
        counted = [numbers.get(Quantity(quantity.cell, name)) for name in family.numerators]
        if None not in counted:
            completed[Quantity(quantity.cell, REST)] = number - sum(
                count for count in counted if count is not None
            )
    return completed
