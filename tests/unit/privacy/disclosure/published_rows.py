"""A table as it is published that hides some cells and shows every count of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from patient_feedback.privacy.disclosure.equations import sort_key
from patient_feedback.privacy.disclosure.published import (
    RESPONSES,
    CellKey,
    Family,
    Numbers,
    PublishedRow,
    Quantity,
)


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
