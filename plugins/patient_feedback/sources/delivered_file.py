"""What a reader makes of a delivered file: records as sent, mended only as far as storage needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress, repeat
from typing import Any

import msgspec

from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.spelling import loose_key

SURPLUS_KEY = "__surplus__"
"""Payload key of the values that stand to the right of the last named column."""
LINE_KEY = "__line__"
"""Payload key of a line that could not be read as a record."""


LONGEST_REFERENCE_BYTES = 1_000
"""Far above any id, and below what an index of PostgreSQL holds: what is longer is a piece of something else."""


class Defect:
    """What a reader had to mend; the names stand in landing.record.defects."""

    NUL_BYTE = "nul_byte"
    UNDECODABLE_BYTE = "undecodable_byte"
    TOO_MANY_COLUMNS = "too_many_columns"
    TOO_FEW_COLUMNS = "too_few_columns"
    UNREADABLE_LINE = "unreadable_line"
    LOST_LEADING_ZERO = "lost_leading_zero"
    DAMAGED_IDENTIFIER = "damaged_identifier"
    OVERLONG_REFERENCE = "overlong_reference"
    """Found by the mapping, which knows which column is the reference."""


class DeliveredRecord(msgspec.Struct, frozen=True):
    """One record; `record_number` counts from 1 in the file's order, `payload` can be stored as JSON."""

    record_number: int
    payload: dict[str, Any]
    defects: tuple[str, ...] = ()


@dataclass(slots=True)
class DeliveredFile:
    """A file under reading. `records` is read once; the other fields are complete when it is exhausted."""

    records: Iterator[DeliveredRecord]
    column_names: tuple[str, ...] = ()
    """Columns kept, in the file's order, spelt as declared where they are declared."""
    encoding: str | None = None
    """The encoding that the text needed; two joined by + where fields differ; None for a workbook."""
    is_declared_encoding: bool = True
    """False where any text needed another encoding than the first declared one."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table: the name to keep each under, None for one that is not kept."""

    names: tuple[str | None, ...]
    kept_names: tuple[str, ...]

    @classmethod
    def of(cls, delivered: Sequence[str], source: Source) -> Header:
        """Name the columns as declared where only case and white space differ; number a repeated name."""
        declared = declared_spellings(source)
        names: list[str | None] = []
        taken: set[str] = set()
        for position, cell in enumerate(delivered, start=1):
            text = cell.strip() or f"column {position}"
            name = declared.get(loose_key(text), text)
            if name in taken:
                repeat = next(n for n in range(2, len(delivered) + 2) if f"{name} ({n})" not in taken)
                name = f"{name} ({repeat})"
            taken.add(name)
            names.append(None if source.ignores(name) else name)
        return cls(tuple(names), tuple(name for name in names if name is not None))

    def renamed(self, name_of: Callable[[str], str | None]) -> Header:
        """Return the header with each column under the name that `name_of` gives it, None for one that is not kept."""
        names = tuple(None if name is None else name_of(name) for name in self.names)
        return Header(names, tuple(name for name in names if name is not None))

    def payload(self, cells: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the row's payload and its defects; a missing cell is None, surplus values are kept aside."""
        if len(cells) == len(self.names):
            kept = cells if len(self.kept_names) == len(cells) else compress(cells, self.names)
            return dict(zip(self.kept_names, kept, strict=False)), []
        width, defects = len(self.names), []
        values = zip(self.names, chain(cells, repeat(None)), strict=False)
        payload = {name: value for name, value in values if name is not None}
        if len(cells) > width and any(cell is not None and cell.strip() for cell in cells[width:]):
            payload[SURPLUS_KEY] = list(cells[width:])
            defects.append(Defect.TOO_MANY_COLUMNS)
        elif len(cells) < width:
            defects.append(Defect.TOO_FEW_COLUMNS)
        return payload, defects
