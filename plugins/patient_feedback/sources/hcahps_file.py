"""Reads the HCAHPS hospital file of the CMS: a CSV, zipped or not, with one row per hospital and measure.

The columns are those of the "Patient survey (HCAHPS) - Hospital" data set of the CMS Provider Data Catalog and of its
predecessors, whatever their case and punctuation.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import BinaryIO, cast

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources import csv_file
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import Defect, DeliveredFile, DeliveredRecord
from patient_feedback.sources.size_bounds import refuse_large_archive

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SPELLINGS = {
    "facility_id": ("provider_id", "provider_number"),
    "facility_name": ("hospital_name",),
    "measure_id": ("hcahps_measure_id",),
    "answer_percent": ("hcahps_answer_percent",),
    "answer_percent_footnote": ("hcahps_answer_percent_footnote",),
    "linear_mean": ("hcahps_linear_mean_value",),
    "star_rating": ("patient_survey_star_rating",),
    "star_rating_footnote": ("patient_survey_star_rating_footnote",),
    "completed_surveys": ("number_of_completed_surveys", "num_completed_surveys"),
    "completed_surveys_footnote": ("number_of_completed_surveys_footnote",),
    "response_rate_percent": ("survey_response_rate_percent",),
    "response_rate_footnote": ("survey_response_rate_percent_footnote",),
    "start_date": ("measure_start_date",),
    "end_date": ("measure_end_date",),
}
_COLUMN_OF = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}
_NOT_KEPT = frozenset(
    (
        *("address", "address_1", "address_2", "address_3", "city", "city_town", "zip_code", "county_name"),
        *("county_parish", "county_or_parish", "telephone_number", "phone_number", "location"),
        *("hcahps_question", "hcahps_answer_description"),
    )
)
"""Where the hospital is, and what its measures are in words: their ids say that."""
_VALUES = ("answer_percent", "linear_mean", "star_rating")
_SAID_BY_SUFFIX = {"_STAR_RATING": ("star_rating", "stars"), "_LINEAR_SCORE": ("linear_mean", "score")}
_DATES = ("%m/%d/%Y", "%Y-%m-%d")
_CCN = re.compile(r"[0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]")
"""A CMS certification number: two digits of the state, then digits, with a letter for some kinds of facility."""
CCN_LENGTH = 6


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return one record for each hospital and measure, read as a stream in constant memory.

    The columns `value` and `unit` say what the measure's own column holds, `figure_ref` names the record. Raises
    UnreadableFileError where there is no line of column names, or for an archive that is damaged or holds several files.
    """
    with _explained():
        # The first bytes of a small file are all of it: damage shows here too.
        file = csv_file.read_records(_table(stream, source), source, _column)
    delivered = file.column_names
    has_one_column = not {"linear_mean", "star_rating"} & set(delivered)
    values = ["value"] if "answer_percent" in delivered else []
    file.column_names = (*(name for name in delivered if name not in _VALUES), *values, "unit", "figure_ref")
    file.records = _until_damage(_record(record, has_one_column) for record in file.records)
    return file


def _table(stream: BinaryIO, source: Source) -> BinaryIO:
    start = stream.read(4)
    stream.seek(0)
    if start not in _ZIP:
        return stream
    try:
        refuse_large_archive(stream, source)
        archive = zipfile.ZipFile(stream)
        tables = [name for name in archive.namelist() if name.lower().endswith((".csv", ".txt"))]
        if len(tables) != 1:
            raise UnreadableFileError(
                f"The archive holds {len(tables)} tables (.csv), where one is expected: deliver them one by one."
            )
        return cast(BinaryIO, archive.open(tables[0]))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UnreadableFileError(f"The archive cannot be read ({type(error).__name__}).") from None


def _until_damage(records: Iterator[DeliveredRecord]) -> Iterator[DeliveredRecord]:
    with _explained():
        yield from records


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UnreadableFileError(f"The archive is damaged ({type(error).__name__}).") from None


def _column(delivered: str) -> str | None:
    """Return the name to keep a column under; None for one that is not kept."""
    key = re.sub(r"[^a-z0-9]+", "_", delivered.lower()).strip("_")
    return None if key in _NOT_KEPT else _COLUMN_OF.get(key, delivered)


def _record(record: DeliveredRecord, has_one_column: bool) -> DeliveredRecord:
    if Defect.UNREADABLE_LINE in record.defects:
        return record
    delivered = record.payload
    ccn, defects = facility_number(delivered.get("facility_id"))
    measure = (delivered.get("measure_id") or "").strip()
    column, unit = _column_and_unit(measure)
    first, last = _day(delivered.get("start_date")), _day(delivered.get("end_date"))
    # Some editions have one column for everything.
    value = delivered.get("answer_percent" if has_one_column else column)
    for name in _VALUES:
        delivered.pop(name, None)
    delivered.update(
        facility_id=ccn,
        start_date=first,
        end_date=last,
        value=value,
        unit=unit,
        figure_ref=f"{ccn}|{measure}|{last}" if ccn and measure and last else None,
    )
    if not defects:
        return record
    return DeliveredRecord(record.record_number, delivered, (*record.defects, *defects))


@lru_cache(maxsize=1_024)
def _column_and_unit(measure: str) -> tuple[str, str]:
    """Return the column that holds a measure's number, and what it counts."""
    for suffix, said in _SAID_BY_SUFFIX.items():
        if measure.upper().endswith(suffix):
            return said
    return "answer_percent", "percent"


@lru_cache(maxsize=16_384)
def facility_number(delivered: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return a hospital's certification number with the zero that a spreadsheet took, and what was wrong with it."""
    text = (delivered or "").strip().upper()
    # No state has the number 00: what begins with a zero has lost something else.
    mended = f"0{text}" if len(text) == CCN_LENGTH - 1 else text
    if not _CCN.fullmatch(mended) or mended.startswith("00"):
        return text or None, (Defect.DAMAGED_IDENTIFIER,)
    return mended, (Defect.LOST_LEADING_ZERO,) if mended != text else ()


@lru_cache(maxsize=1_024)
def _day(delivered: str | None) -> str | None:
    """Return a day as ISO text; what is no day stays as it is."""
    text = (delivered or "").strip()
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 (a day has no time zone)
        except ValueError:
            continue
    return text or None
