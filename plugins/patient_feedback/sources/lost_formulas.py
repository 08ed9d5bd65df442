"""Finds the cells of a workbook whose formula was saved without its value: what they showed is lost, not empty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LOST_VALUE = "#N/A"
"""What stands for a value that a workbook lost; the gate knows it as a spreadsheet's error."""
SCANNED_BYTES = 2**20
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_LONGEST_TAG = 64


def with_lost_values(sheet: Any, rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Yield the rows of a sheet, counted from its first, with LOST_VALUE in the cells whose value was not saved.

    A sheet without formulas is not read a second time.
    """
    if not _has_formula(sheet):
        yield from rows
        return
    lost_rows = _lost_cells(sheet)
    lost_number, columns = next(lost_rows, (0, []))
    for number, row in enumerate(rows, start=1):
        if number == lost_number:
            for column in columns:
                row[column - 1] = LOST_VALUE
            lost_number, columns = next(lost_rows, (0, []))
        yield row


def _has_formula(sheet: Any) -> bool:
    with sheet._get_source() as source:
        before = b""
        while read := source.read(SCANNED_BYTES):
            before += read
            if _FORMULA.search(before):
                return True
            before = before[-_LONGEST_TAG:]
    return False


def _lost_cells(sheet: Any) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of each row that has such cells, with the numbers of their columns."""
    from openpyxl.utils.cell import coordinate_to_tuple
    from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, VALUE_TAG
    from openpyxl.xml.functions import iterparse

    number = 0
    with sheet._get_source() as source:
        for _, element in iterparse(source):
            if element.tag != ROW_TAG:
                continue
            number = int(float(element.get("r", number + 1)))
            column, columns = 0, []
            for cell in element:
                coordinate = cell.get("r")
                column = coordinate_to_tuple(coordinate)[1] if coordinate else column + 1
                if cell.find(FORMULA_TAG) is None:
                    continue
                value = cell.find(VALUE_TAG)
                # A text that is saved as empty is what the formula made.
                if value is None or not (value.text or cell.get("t") == "str"):
                    columns.append(column)
            element.clear()
            if columns:
                yield number, columns
