"""A small table of one family of measures, whose cells are named as briefly as tests want to read them."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import pytest
from tests.unit.privacy.disclosure.published_rows import published_rows

from patient_feedback.privacy.disclosure.attack import Attack, EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import (
    ALL,
    RESPONSES,
    CellKey,
    Family,
    Period,
    PublishedRow,
    Quantity,
)

JANUARY = Period("month", datetime.date(2024, 1, 1), datetime.date(2024, 1, 31))


@dataclass
class Table:
    """Counts of services, of which the totals are made; `hide` names cells as (organisation, service)."""

    family: Family = field(default_factory=lambda: Family("score", 5, ("favourable", "unfavourable")))
    numbers: dict[Quantity, float] = field(default_factory=dict)

    def cell(
        self,
        organisation: str = ALL,
        service: str = ALL,
        attribute: str = ALL,
        stratum: str = ALL,
        period: Period = JANUARY,
    ) -> CellKey:
        return CellKey("score", period, organisation, service, attribute, stratum)

    def count(self, cells: Iterable[CellKey], responses: int, *numerators: float) -> None:
        """Add these people to each of the cells."""
        for cell in cells:
            for name, number in zip(
                (RESPONSES, *self.family.numerators, *self.family.scores),
                (responses, *numerators),
                strict=True,
            ):
                quantity = Quantity(cell, name)
                self.numbers[quantity] = self.numbers.get(quantity, 0) + number

    def service(self, organisation: str, service: str, responses: int, *numerators: float) -> None:
        """Add a service, with its organisation's and the month's total."""
        self.count(
            [self.cell(organisation, service), self.cell(organisation), self.cell()], responses, *numerators
        )

    @property
    def families(self) -> dict[str, Family]:
        return {"score": self.family}

    def rows(self, hidden: Collection[CellKey]) -> list[PublishedRow]:
        return published_rows(self.numbers, hidden, self.families)

    def edition(self, hidden: Collection[CellKey], rows: list[PublishedRow] | None = None) -> Edition:
        cells = {quantity.cell for quantity in self.numbers}
        return Edition(self.rows(hidden) if rows is None else rows, equations_of(cells))

    def attacked(
        self,
        hidden: Collection[CellKey],
        rows: list[PublishedRow] | None = None,
        earlier: EarlierEdition | None = None,
        knows_truth: bool = True,
        **options: float,
    ) -> Attack:
        return attack(
            self.edition(hidden, rows),
            self.families,
            earlier=earlier,
            true_numbers=self.numbers if knows_truth else None,
            **options,
        )


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def new_table() -> type[Table]:
    return Table


@pytest.fixture
def absent_theme() -> tuple[Table, set[CellKey]]:
    """A table whose two hidden places did not raise the theme parking, and those places."""
    table = Table(
        Family("score", 5, ("parking", "other"), complete=(("parking", "other"),), open_absences=("parking",))
    )
    table.service("north", "clinic", 3, 0, 3)
    table.service("north", "transport", 9, 0, 9)
    table.service("north", "ward", 20, 10, 10)
    return table, {table.cell("north", "clinic"), table.cell("north", "transport")}
