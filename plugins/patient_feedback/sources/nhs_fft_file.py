"""Reads the monthly workbook of the NHS Friends and Family Test: one sheet, one row per organisation, site or ward.

The workbooks change from month to month: titles above the table, headings over two rows, columns that come and go, the
question of before April 2020 (how likely are you to recommend) and that of today (overall, how was your experience).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any, BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredFile, DeliveredRecord
from patient_feedback.sources.lost_formulas import with_lost_values
from patient_feedback.sources.stored_text import mend_text
from patient_feedback.sources.xlsx_file import open_workbook, plain, rows_until_damage, sheet_named

HEADING_ROWS = 40
"""So far down a sheet its table may begin."""
_SPELLINGS = {
    "organisation_code": (
        "trust code",
        "organisation code",
        "org code",
        "provider code",
        "practice code",
        "code",
    ),
    "organisation_name": (
        "trust name",
        "organisation name",
        "org name",
        "provider name",
        "practice name",
        "name",
    ),
    "site_code": ("site code",),
    "site_name": ("site name",),
    "ward_name": ("ward name",),
    "response_count": ("total responses", "number of responses", "responses"),
    "eligible_count": ("total eligible", "number eligible", "eligible"),
    "response_rate_percent": ("response rate", "percentage response rate"),
    "positive_percent": ("percentage positive", "positive"),
    "negative_percent": ("percentage negative", "negative"),
    "very_good_count": ("very good",),
    "good_count": ("good",),
    "neither_good_nor_poor_count": ("neither good nor poor",),
    "poor_count": ("poor",),
    "very_poor_count": ("very poor",),
    "dont_know_count": ("don t know", "dont know"),
    "recommended_percent": ("percentage recommended", "recommended"),
    "not_recommended_percent": ("percentage not recommended", "not recommended"),
    "extremely_likely_count": ("extremely likely",),
    "likely_count": ("likely",),
    "neither_likely_nor_unlikely_count": ("neither likely nor unlikely", "neither"),
    "unlikely_count": ("unlikely",),
    "extremely_unlikely_count": ("extremely unlikely",),
}
_COLUMN_OF = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_IDENTIFYING = ("organisation_code", "organisation_name", "site_code", "site_name", "ward_name")
_COMPUTED = ("setting", "month", "row", "figure_ref")
_TOTAL = re.compile(r"england( \(.*\))?|(grand )?total|selection( \(.*\))?", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(
    r"\b(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)[\s,'\u2019-]+((?:20)?\d\d)\b|\b(20\d\d)-(\d\d)-\d\d\b",
    re.IGNORECASE,
)
_FIRST_YEAR = 2013
"""The Friends and Family Test began in it."""
_PUBLICATION = re.compile(r"\(?\b(?:publi|revis|updat|next|releas)[^()]*\)?", re.IGNORECASE)
"""What a title says of the day on which it came out."""
_LABEL = re.compile(r"(?:reporting )?(?:month|period)\s*:?", re.IGNORECASE)
_TEST = re.compile(r"friends (?:and|&) family test|\bfft\b", re.IGNORECASE)
_SETTING = re.compile(r"^\s*(.*?)\s*[-:,]?\s*(?:friends (?:and|&) family test|fft)\b", re.IGNORECASE)

Cells = list[str | None]


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return one record for each organisation, site or ward of the sheet, and for each total (`row` is total).

    Beside the columns above stand `setting` and `month` (its first day) from the titles, and `figure_ref`, which names
    the record. A percentage is 0 to 100 however the sheet shows it. Notes below the table are no records. Raises
    UnreadableFileError for a file that is no workbook, holds no such table, or does not say its month or its setting.
    """
    workbook = open_workbook(stream, source)
    # Charts have sheets too.
    sheets = [sheet.title for sheet in workbook.worksheets]
    names = [source.format.sheet] if source.format.sheet else sheets
    for name in names:
        rows = _rows(sheet_named(workbook, name))
        titles, heading = _until_heading(rows)
        if heading is not None:
            break
    else:
        raise UnreadableFileError(
            f"None of the sheets {', '.join(names)} has a row of column names with a code such as Trust Code."
        )
    columns, first_row = _columns(heading, rows)
    elsewhere = [
        cells for other in sheets if other != name for cells in _first_rows(sheet_named(workbook, other))
    ]
    month = _month(titles, elsewhere)
    setting = source.format.setting or _setting(titles) or _setting(elsewhere)
    if setting is None:
        raise UnreadableFileError(
            "The workbook does not say its setting, such as Inpatient Friends and Family Test, above its table: declare it "
            "as format.setting."
        )
    said = {"setting": setting, "month": month.isoformat()}
    records = _records(first_row, rows, columns, said, source)
    kept = (column for column in columns if column and not source.ignores(column))
    return DeliveredFile(records=records, column_names=(*dict.fromkeys(kept), *_COMPUTED))


def _rows(sheet: Any) -> Iterator[Cells]:
    shown = ([_shown(cell) for cell in row] for row in sheet.iter_rows())
    return rows_until_damage(with_lost_values(sheet, shown))


def _first_rows(sheet: Any) -> Iterator[Cells]:
    return rows_until_damage([_shown(cell) for cell in row] for row in sheet.iter_rows(max_row=HEADING_ROWS))


def _shown(cell: Any) -> str | None:
    """Return a cell's text; of a share that the sheet shows as a percentage, the percentage."""
    value = cell.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and "%" in (getattr(cell, "number_format", None) or ""):
        return plain(round(value * 100, 6))
    return plain(value)


def _until_heading(rows: Iterator[Cells]) -> tuple[list[Cells], Cells | None]:
    """Return the rows above the table, and its row of column names."""
    titles: list[Cells] = []
    for cells in rows:
        if "organisation_code" in map(_column, cells):
            return titles, cells
        titles.append(cells)
        if len(titles) == HEADING_ROWS:
            break
    return titles, None


def _columns(heading: Cells, rows: Iterator[Cells]) -> tuple[list[str | None], Cells]:
    """Return the name of each column, and the first row below; a second row of names stands under merged ones."""
    names = list(heading)
    own = [position for position, text in enumerate(heading) if _column(text) in _IDENTIFYING]
    for below in rows:
        is_named = any(_at(below, position) for position in own)
        if any(below) and (is_named or not any(_column(text) in _SPELLINGS for text in below)):
            break
        names += [None] * (len(below) - len(names))
        names = [_at(below, position) or text for position, text in enumerate(names)]
    else:
        below = []
    taken: set[str] = set()
    columns: list[str | None] = []
    for text in names:
        name = _column(text)
        # A name that comes twice would overwrite a number: the second one is kept under its place.
        name = f"{name} (column {len(columns) + 1})" if name in taken else name
        taken.update([name] if name else [])
        columns.append(name)
    return columns, below


def _column(text: str | None) -> str | None:
    key = re.sub(r"[^a-z]+", " ", (text or "").lower()).strip().removeprefix("fft ")
    return _COLUMN_OF.get(key, text.strip() if text and text.strip() else None)


def _records(
    first: Cells,
    rows: Iterator[Cells],
    columns: Sequence[str | None],
    said: Mapping[str, str | None],
    source: Source,
) -> Iterator[DeliveredRecord]:
    number = 0
    for cells in chain([first], rows):
        defects: set[str] = set()
        row = {
            name: mend_text(text, defects) if (text := _at(cells, position)) else None
            for position, name in enumerate(columns)
            if name and not source.ignores(name)
        }
        named = {name: text for name in _IDENTIFYING if (text := (row.get(name) or "").strip(" -"))}
        figures = [text for name, text in row.items() if name not in _IDENTIFYING and text]
        if not named or not figures:
            continue
        number += 1
        code = named.get("organisation_code")
        # A country's label stands wherever the names of the sheet's rows stand: trusts, sites or wards.
        label = code or list(named.values())[-1]
        is_total = code is None or any(map(_TOTAL.fullmatch, (code, named.get("organisation_name", ""))))
        if code is None:
            row |= {**dict.fromkeys(_IDENTIFYING), "organisation_name": label}
            named = {}
        parts = (said["setting"], label, named.get("site_code"), named.get("ward_name"), said["month"])
        row |= {
            **said,
            "organisation_code": label,
            "row": "total" if is_total else "organisation",
            "figure_ref": "|".join(part or "" for part in parts),
        }
        yield DeliveredRecord(number, row, tuple(sorted(defects)))


def _at(cells: Sequence[str | None], position: int) -> str | None:
    text = cells[position] if position < len(cells) else None
    return text if text and text.strip() else None


def _month(titles: list[Cells], elsewhere: list[Cells]) -> date:
    """Return the first day of the month that the titles name, those that speak of the test or of its period before others.

    Raises UnreadableFileError where they name none, or several; the day of publication is none of them.
    """
    telling, others = _months(titles)
    months = telling or others or _months(elsewhere)[0]
    if len(months) == 1:
        return months.pop()
    if not months:
        raise UnreadableFileError(
            "The workbook does not say its month, such as January 2026, above its table."
        )
    listed = ", ".join(f"{month:%B %Y}" for month in sorted(months))
    raise UnreadableFileError(f"The workbook names several months above its table: {listed}.")


def _months(rows: list[Cells]) -> tuple[set[date], set[date]]:
    """Return the months of cells that speak of the test or of its period, and those of other cells."""
    telling, others = set[date](), set[date]()
    for cells in rows:
        before = ""
        for text in filter(None, cells):
            is_of_publication = _PUBLICATION.search(before) is not None
            is_telling = _LABEL.fullmatch(before.strip()) or any(_TEST.search(cell or "") for cell in cells)
            for found in _MONTH.finditer(_PUBLICATION.sub(" ", text)):
                name, short_year, year, number = found.groups()
                year = int(year or short_year) % 100 + 2000
                month = int(number) if number else _MONTHS.index(name[:3].lower()) + 1
                if year >= _FIRST_YEAR and 1 <= month <= 12 and not is_of_publication:
                    (telling if is_telling or _LABEL.match(text.strip()) else others).add(
                        date(year, month, 1)
                    )
            before = text
    return telling, others


def _setting(titles: list[Cells]) -> str | None:
    """Return what stands before "Friends and Family Test" in the title, such as Inpatient."""
    for text in (text for cells in titles for text in cells if text):
        if (found := _SETTING.match(text)) and found[1]:
            return found[1].strip()
    return None
