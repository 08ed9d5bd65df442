"""Writes rows as the systems that export them would, and always the same bytes for the same rows."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

FIXED_TIME = (2026, 10, 1, 6, 0, 0)
CREATED_OR_MODIFIED = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], encoding: str) -> None:
    """Write CSV with CRLF line ends, as survey tools export it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def json_line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def write_workbook(path: Path, sheet: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a workbook of one sheet; a `date` becomes a date cell, text that begins with = stays text."""
    from openpyxl import Workbook

    workbook = Workbook()
    page = workbook.active
    page.title = sheet
    page.append(list(columns))
    for row in rows:
        page.append(list(row))
        for cell, value in zip(page[page.max_row], row, strict=True):
            if isinstance(value, date):
                cell.number_format = "dd/mm/yyyy"
            elif isinstance(value, str) and value.startswith("="):
                cell.data_type = "s"
    page.freeze_panes = "A2"
    buffer = io.BytesIO()
    workbook.save(buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_time(buffer))


def _without_time(workbook: io.BytesIO) -> bytes:
    """Return the workbook with fixed dates, stored uncompressed: zlib's output differs between builds."""
    stamp = b"%d-%02d-%02dT%02d:%02d:%02dZ" % FIXED_TIME
    target = io.BytesIO()
    with zipfile.ZipFile(workbook) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as fixed:
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = CREATED_OR_MODIFIED.sub(rb"\g<1>" + stamp, content)
            entry = zipfile.ZipInfo(name, date_time=FIXED_TIME)
            entry.create_system = 0
            fixed.writestr(entry, content)
    return target.getvalue()
