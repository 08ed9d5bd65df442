"""Reads delimited text: any quoting, any declared encoding, one broken line at a time."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import LINE_KEY, Defect, DeliveredFile, DeliveredRecord, Header
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import MAXIMUM_LINE_LENGTH, DecodedText

DELIMITERS = (",", ";", "\t", "|")


class _Lines:
    """Lines of the file that can be given back, so that reading resumes behind a broken one."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self._taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self._taken.append(line)
        return line

    def begin_record(self) -> None:
        self._taken = []

    def return_all(self) -> None:
        self._returned.extendleft(reversed(self._taken))
        self._taken = []

    def return_all_but_first(self) -> str:
        first, *rest = self._taken
        self._taken = rest
        self.return_all()
        return first


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return the records of a CSV file, read as a stream in constant memory.

    Rows without any value are no records. Raises UnreadableFileError where there is no line of column names.
    """
    csv.field_size_limit(MAXIMUM_LINE_LENGTH)
    text = DecodedText(stream, source.format.encodings, newline="")
    lines = _Lines(text.lines())
    for _ in range(source.format.header_row - 1):
        next(lines, None)
    lines.begin_record()
    delimiter = source.format.delimiter or _likeliest_delimiter(lines, source)
    header = Header.of([text.mend(cell, set()) for cell in _header_cells(lines, delimiter)], source)
    file = DeliveredFile(records=iter(()), column_names=header.kept_names)
    file.records = _records(file, lines, text, header, delimiter)
    return file


def _header_cells(lines: _Lines, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UnreadableFileError(f"The line of column names cannot be read: {error}.") from None
    while cells and not cells[-1].strip():
        cells.pop()
    if not cells:
        raise UnreadableFileError("The file has no line of column names where the declaration expects it.")
    return cells


def _likeliest_delimiter(lines: _Lines, source: Source) -> str:
    declared = declared_spellings(source)

    def fit(delimiter: str) -> tuple[int, int]:
        try:
            cells = _header_cells(lines, delimiter)
        except UnreadableFileError:
            cells = []
        lines.return_all()
        return sum(loose_key(cell) in declared for cell in cells), len(cells)

    return max(DELIMITERS, key=fit)


def _records(
    file: DeliveredFile, lines: _Lines, text: DecodedText, header: Header, delimiter: str
) -> Iterator[DeliveredRecord]:
    number = 0
    for cells in _rows(lines, delimiter):
        defects: set[str] = set()
        if isinstance(cells, str):
            payload, found = {LINE_KEY: cells}, [Defect.UNREADABLE_LINE]
        elif not any(map(str.strip, cells)):
            continue
        else:
            payload, found = header.payload(cells)
        number += 1
        # Nearly every row is plain: one look at all of it spares one at each cell.
        if not text.is_plain("".join(cells)):
            payload = {name: text.mend(value, defects) for name, value in payload.items()}
        file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding
        yield DeliveredRecord(number, payload, (*found, *sorted(defects)))
    file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding


def _rows(lines: _Lines, delimiter: str) -> Iterator[list[str] | str]:
    """Yield each row's cells, or the line itself where its quotes do not pair.

    A quote that is never closed would swallow all that follows: the line that opens it is given up, and
    reading resumes with the next one.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield lines.return_all_but_first().rstrip("\r\n")
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            yield cells
