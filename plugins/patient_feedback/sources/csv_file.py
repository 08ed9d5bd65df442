"""Reads delimited text: any quoting, any declared encoding, one broken line at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import (
    LINE_KEY,
    Defect,
    DeliveredFile,
    DeliveredRecord,
    Header,
    kept_line,
)
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import MAXIMUM_LINE_LENGTH, DecodedText

DELIMITERS = (",", ";", "\t", "|")


def read_records(
    stream: BinaryIO, source: Source, name_of: Callable[[str], str | None] | None = None
) -> DeliveredFile:
    """Return the records of a CSV file, read as a stream in constant memory.

    `name_of` gives a column another name, or None where it is not kept. Rows without any value are no records.
    Raises UnreadableFileError where there is no line of column names.
    """
    csv.field_size_limit(MAXIMUM_LINE_LENGTH)
    text = DecodedText(stream, source.format.encodings, newline="")
    lines = _Lines(text.blocks())
    for _ in islice(lines.from_row(), source.format.header_row - 1):
        lines.read_count += 1
    delimiter = source.format.delimiter or _likeliest_delimiter(lines, source)
    cells, lines.read_count = _header(lines, delimiter)
    header = Header.of([text.mend(cell, set()) for cell in cells], source, is_shiftable=True)
    if name_of:
        header = header.renamed(name_of)
    file = DeliveredFile(records=iter(()), column_names=header.kept_names)
    file.records = _records(file, lines, text, header, delimiter, source)
    return file


def _header(lines: _Lines, delimiter: str) -> tuple[list[str], int]:
    """Return the cells with the names of the columns, and how many lines they take."""
    reader = csv.reader(lines.from_row(), delimiter=delimiter, strict=True)
    try:
        cells = next(reader, [])
    except csv.Error as error:
        raise UnreadableFileError(f"The line of column names cannot be read: {error}.") from None
    while cells and not cells[-1].strip():
        cells.pop()
    if not cells:
        raise UnreadableFileError("The file has no line of column names where the declaration expects it.")
    return cells, reader.line_num


def _likeliest_delimiter(lines: _Lines, source: Source) -> str:
    declared = declared_spellings(source)

    def fit(delimiter: str) -> tuple[int, int]:
        try:
            cells, _ = _header(lines, delimiter)
        except UnreadableFileError:
            cells = []
        return sum(loose_key(cell) in declared for cell in cells), len(cells)

    return max(DELIMITERS, key=fit)


def _records(
    file: DeliveredFile, lines: _Lines, text: DecodedText, header: Header, delimiter: str, source: Source
) -> Iterator[DeliveredRecord]:
    number = 0
    for cells in _rows(lines, delimiter):
        row = "".join(cells)
        if isinstance(cells, str):
            payload, found = {LINE_KEY: kept_line(cells, source)}, [Defect.UNREADABLE_LINE]
        elif not row or row.isspace():
            continue
        else:
            payload, found = header.payload(cells)
        number += 1
        # Nearly every row is plain: one look at all of it spares one at each cell.
        if not text.is_plain(row):
            defects: set[str] = set()
            payload = {name: text.mend(value, defects) for name, value in payload.items()}
            found += sorted(defects)
        yield DeliveredRecord(number, payload, tuple(found))
    file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding


def _rows(lines: _Lines, delimiter: str) -> Iterator[list[str] | str]:
    """Yield each row's cells, or the line itself where its quotes do not pair.

    A quote that is never closed would swallow all that follows: the line that opens it is given up, and
    reading resumes with the next one.
    """
    while True:
        reader = csv.reader(lines.from_row(), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                lines.read_count = reader.line_num
                yield cells
        except csv.Error:
            yield lines.give_up().rstrip("\r\n")
        else:
            return


class _Lines:
    """The lines of a file, kept from the row on that is being read, so that reading resumes within it."""

    def __init__(self, blocks: Iterator[list[str]]) -> None:
        self._blocks = blocks
        self._kept: list[str] = []
        self._passed_count = 0
        self.read_count = 0
        """Lines since `from_row` that are rows now."""

    def from_row(self) -> Iterator[str]:
        """Yield the lines from the row on that is not read yet, as often as it is asked for."""
        self._pass_read()
        self.read_count = self._passed_count = 0
        return chain.from_iterable(self._from_row())

    def _from_row(self) -> Iterator[list[str]]:
        yield self._kept.copy()
        for block in self._blocks:
            self._pass_read()
            self._kept += block
            yield block

    def _pass_read(self) -> None:
        del self._kept[: self.read_count - self._passed_count]
        self._passed_count = self.read_count

    def give_up(self) -> str:
        """Return the first line of the row that cannot be read; the next one begins with the line after it."""
        self._pass_read()
        return self._kept.pop(0)
