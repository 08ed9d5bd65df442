"""Reads a sheet of an Excel workbook: shown values as text, dates as ISO text, errors and lost values as errors."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredFile, DeliveredRecord, Header
from patient_feedback.sources.lost_formulas import with_lost_values
from patient_feedback.sources.size_bounds import refuse_large_archive
from patient_feedback.sources.stored_text import mend_text

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return the records of one sheet, read row by row; rows without any value are no records.

    Raises UnreadableFileError for a file that is no workbook (or an old or locked one), lacks the sheet, or
    has no row of column names.
    """
    workbook = open_workbook(stream, source)
    sheet = sheet_named(workbook, source.format.sheet or workbook.sheetnames[0])
    shown = ([plain(value) for value in row] for row in sheet.iter_rows(values_only=True))
    rows = rows_until_damage(with_lost_values(sheet, shown))
    cells: list[str] = []
    for _ in range(source.format.header_row):
        cells = ["" if cell is None else str(cell) for cell in next(rows, [])]
    while cells and not cells[-1].strip():
        cells.pop()
    if not cells:
        raise UnreadableFileError("The sheet has no row of column names where the declaration expects it.")
    header = Header.of([mend_text(cell, set()) for cell in cells], source)
    return DeliveredFile(records=_records(rows, header), column_names=header.kept_names)


def open_workbook(stream: BinaryIO, source: Source) -> Any:
    """Return openpyxl's workbook; raise UnreadableFileError for a file that is none, or an old, locked or huge one."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    start = stream.read(4)
    stream.seek(0)
    if not start:
        raise UnreadableFileError("The file is empty.")
    if start == _COMPOUND_FILE:
        raise UnreadableFileError(
            "The file is an old Excel workbook (.xls) or has a password: save it as .xlsx without one."
        )
    try:
        refuse_large_archive(stream, source)
        return load_workbook(stream, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, ParseError) as error:
        raise UnreadableFileError(f"The file is no Excel workbook ({type(error).__name__}).") from None


def sheet_named(workbook: Any, wanted: str) -> Any:
    """Return a sheet of cells; raise UnreadableFileError where there is none of that name."""
    if wanted not in workbook.sheetnames:
        sheets = ", ".join(workbook.sheetnames)
        raise UnreadableFileError(f"The workbook has no sheet '{wanted}'; its sheets are: {sheets}.")
    sheet = workbook[wanted]
    if not hasattr(sheet, "iter_rows"):
        raise UnreadableFileError(f"The sheet '{wanted}' is a chart: name a sheet of cells.")
    # Some exporters write a size of one cell into the sheet, which would hide the rest.
    sheet.reset_dimensions()
    return sheet


def rows_until_damage(rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Yield the rows; raise UnreadableFileError where the sheet breaks off, so that other files go on."""
    try:
        yield from rows
    # A SyntaxError is what both parsers of XML raise.
    except (zipfile.BadZipFile, zlib.error, EOFError, SyntaxError, KeyError, ValueError) as error:
        raise UnreadableFileError(f"The sheet is damaged ({type(error).__name__}).") from None


def _records(rows: Iterator[list[Any]], header: Header) -> Iterator[DeliveredRecord]:
    number, width = 0, len(header.names)
    for row in rows:
        cells = list(row)
        while cells and (cells[-1] is None or not cells[-1].strip()):
            cells.pop()
        if not any(cell is not None and cell.strip() for cell in cells):
            continue
        number += 1
        defects: set[str] = set()
        # Excel leaves the empty cells at a row's end out: a short row is complete.
        payload, found = header.payload(cells + [None] * (width - len(cells)))
        yield DeliveredRecord(
            number,
            {name: _mended(value, defects) for name, value in payload.items()},
            (*found, *sorted(defects)),
        )


def _mended(value: Any, defects: set[str]) -> Any:
    if isinstance(value, list):
        return [_mended(part, defects) for part in value]
    return mend_text(value, defects) if isinstance(value, str) else value


def _unescaped(text: str) -> str:
    """Return the text with the characters that XML cannot hold, such as the _x000D_ of a line break from Windows."""
    from openpyxl.utils.escape import unescape

    return str(unescape(text)) if "_x" in text else text


def plain(value: Any) -> str | None:
    """Return a cell's value as text: a day without its midnight, a whole number without decimals."""
    match value:
        case None:
            return None
        case str():
            return _unescaped(value)
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime():
            is_day = value.time() == time()
            return value.date().isoformat() if is_day else value.isoformat(timespec="seconds")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)
