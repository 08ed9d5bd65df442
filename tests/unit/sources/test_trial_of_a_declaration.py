"""A declaration is tried on the newest file before anything runs: what does not fit is counted, no value is shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.trial import is_within_reach, try_newest_file

MAPPING = {
    "submitted_on": {"column": "date", "formats": ["%d-%m-%Y"]},
    "service": {"column": "ward", "values": {"A": {"slug": "ward_a", "name": "A"}}},
    "rating": {
        "column": "rating",
        "instrument": "ward",
        "version": "1",
        "item": "overall",
        "number": {"min": 1, "max": 5},
    },
}


@pytest.fixture
def source(declare: Any, tmp_path: Path) -> Source:
    declared: Source = declare(mapping=MAPPING, where={"path": str(tmp_path)})
    return declared


def put(folder: Path, name: str, text: str, moment: int = 1_750_000_000) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    os.utime(folder / name, (moment, moment))


def test_values_that_the_declaration_does_not_read_are_counted_and_not_shown(
    source: Source, tmp_path: Path
) -> None:
    put(
        tmp_path,
        "new.csv",
        "id;date;rating;comment;ward;campaign\n1;03-03-2025;5;kind;A;K\n2;3/4/2025;6;secret words;B;K\n;31-02-2025;x;;A;K\n",
    )
    trial = try_newest_file(source)
    assert trial.file_name == "new.csv"
    assert trial.remarks() == [
        "columns that are neither mapped nor ignored: campaign",
        "mapping: service is not among its declared values: 1 of 3",
        "mapping: overall is none of its codes, nor in its range: 2 of 3",
        "mapping.record_ref is empty: 1 of 3",
        "mapping.submitted_on reads no date (%d-%m-%Y): 2 of 3",
    ]


def test_files_that_match_no_pattern_are_said(source: Source, tmp_path: Path) -> None:
    put(tmp_path, "notes.txt", "secret words")
    remark = "files whose names match no pattern, and that are never read: 1"
    assert try_newest_file(source).remarks() == [remark]
    put(tmp_path, "NEW.CSV", "id,date,rating,comment,ward\n1,03-03-2025,3,kind,A\n")
    trial = try_newest_file(source)
    assert (trial.file_name, trial.remarks()) == ("NEW.CSV", [remark])


def test_newest_file_is_tried_and_its_missing_columns_are_named(source: Source, tmp_path: Path) -> None:
    put(tmp_path, "old.csv", "id,date,rating,comment,ward\n", moment=1_750_000_000)
    put(tmp_path, "new.csv", "id,dato,rating,comment,ward\n1,03-03-2025,5,kind,A\n", moment=1_750_000_060)
    trial = try_newest_file(source)
    assert trial.file_name == "new.csv"
    assert trial.missing_columns == ("date",)


def test_folder_without_files_is_no_problem_yet(source: Source) -> None:
    assert try_newest_file(source).file_name is None


def test_file_that_no_reader_can_read_says_why(source: Source, tmp_path: Path) -> None:
    put(tmp_path, "empty.csv", "")
    with pytest.raises(UnreadableFileError, match="empty"):
        try_newest_file(source)


def test_place_that_needs_a_key_is_not_looked_at(declare: Any) -> None:
    assert not is_within_reach(declare(where={"path": "s3://drop/in"}))
