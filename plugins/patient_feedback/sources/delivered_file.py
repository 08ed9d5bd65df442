"""What a reader makes of a delivered file: records as sent, mended only as far as storage needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, repeat
from typing import Any

import msgspec

from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.spelling import free_name, loose_key

SURPLUS_KEY = "__surplus__"
"""Payload key of the values that stand to the right of the last named column, or of how many they are."""
LINE_KEY = "__line__"
"""Payload key of a line that could not be read as a record, or of its size."""
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
    ignored_from: int | None = None
    """Position of the first column that is ignored."""
    is_shiftable: bool = False
    """True where a value that is too many or missing moves those behind it under other columns' names."""

    @classmethod
    def of(cls, delivered: Sequence[str], source: Source, *, is_shiftable: bool = False) -> Header:
        """Name the columns as declared where only case and white space differ; number a repeated name."""
        declared = declared_spellings(source)
        names: list[str | None] = []
        taken: set[str] = set()
        ignored_from = None
        for position, cell in enumerate(delivered, start=1):
            text = cell.strip() or f"column {position}"
            name = declared.get(loose_key(text), text)
            is_ignored = source.ignores(name)
            if name in taken:
                name = free_name(name, taken)
                is_ignored = source.ignores(name) or (is_ignored and loose_key(name) not in declared)
            taken.add(name)
            if is_ignored and ignored_from is None:
                ignored_from = position - 1
            names.append(None if is_ignored else name)
        kept_names = tuple(name for name in names if name is not None)
        return cls(tuple(names), kept_names, ignored_from, is_shiftable)

    def renamed(self, name_of: Callable[[str], str | None]) -> Header:
        """Return the header with each column under the name that `name_of` gives it, None for one that is not kept."""
        names = tuple(None if name is None else name_of(name) for name in self.names)
        return replace(self, names=names, kept_names=tuple(name for name in names if name is not None))

    def payload(self, cells: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the row's payload and its defects; a missing cell is None, surplus values are kept aside.

        Of a row whose values may be shifted, those that may be of an ignored column are not kept: moved to the right
        they never reach a column before it, moved to the left any.
        """
        if len(cells) == len(self.names):
            kept = cells if len(self.kept_names) == len(cells) else compress(cells, self.names)
            return dict(zip(self.kept_names, kept, strict=False)), []
        width, defects = len(self.names), []
        values = zip(self.names, chain(cells, repeat(None)), strict=False)
        payload = {name: value for name, value in values if name is not None}
        if len(cells) > width and any(cell is not None and cell.strip() for cell in cells[width:]):
            if self.ignored_from is None:
                payload[SURPLUS_KEY] = list(cells[width:])
            else:
                certain = self.names[: self.ignored_from] if self.is_shiftable else self.names
                payload = {name: value for name, value in payload.items() if name in certain}
                payload[SURPLUS_KEY] = f"({len(cells) - width} values)"
            defects.append(Defect.TOO_MANY_COLUMNS)
        elif len(cells) < width:
            if self.ignored_from is not None and self.is_shiftable:
                payload = {LINE_KEY: f"({len(cells)} values of {width})"}
            defects.append(Defect.TOO_FEW_COLUMNS)
        return payload, defects


def kept_line(line: str, source: Source) -> str:
    """Return what is kept of a line that is no record: its length alone where it may hold a column that is ignored."""
    return f"({len(line)} characters)" if source.ignore_columns else line
