"""The example declaration against the real file, where NHS_FFT_CSV says where it is."""

from __future__ import annotations

import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from patient_feedback.contract import DateBasis
from patient_feedback.sources.columns import missing_columns, unknown_columns
from patient_feedback.sources.dates import DateReading, resolve_dates
from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.sources.delivered_file import DeliveredFile
from patient_feedback.sources.files import list_files, open_file
from patient_feedback.sources.mapping import MappedRecord, map_record
from patient_feedback.sources.reading import read_records

pytestmark = pytest.mark.skipif(not os.environ.get("NHS_FFT_CSV"), reason="NHS_FFT_CSV is not set")


@dataclass
class Delivery:
    source: Source
    file: DeliveredFile
    rows: list[MappedRecord]
    readings: dict[int, DateReading]


@pytest.fixture(scope="module")
def delivery(project_dir: Path) -> Delivery:
    (source,) = load_sources(project_dir / "examples/nhs_fft/sources.yml", check_paths=True)
    (found,) = list_files(source)
    with open_file(found) as stream:
        file = read_records(stream, source)
        rows = [map_record(record, source, str) for record in file.records]
    date_of = resolve_dates(lambda: (row.date_fact for row in rows), source)
    return Delivery(source, file, rows, {row.record_number: date_of(row.date_fact) for row in rows})


def test_every_comment_and_response_is_there(delivery: Delivery) -> None:
    assert len(delivery.rows) == 7908
    assert len({row.source_record_ref for row in delivery.rows}) == 7908
    assert len({row.response_id for row in delivery.rows}) == 4466
    assert not any(row.defects or row.unmapped_fields for row in delivery.rows)
    assert delivery.file.is_declared_encoding


def test_human_labels_are_never_read(delivery: Delivery) -> None:
    with Path(os.environ["NHS_FFT_CSV"]).open(encoding="utf-8", newline="") as stream:
        delivered = next(csv.reader(stream))
    labels = delivered[delivered.index("Comment sentiment") :]
    assert len(labels) > 40
    assert not set(labels) & set(delivery.file.column_names)
    assert missing_columns(delivery.file.column_names, delivery.source) == ()
    assert unknown_columns(delivery.file.column_names, delivery.source) == ()


def test_known_defects_of_comments_ratings_and_names_are_marked(delivery: Delivery) -> None:
    comments = [comment for row in delivery.rows for comment in row.comments]
    assert sum(comment.is_blank for comment in comments) == 1697
    assert {comment.question_slug for comment in comments if not comment.is_question_declared} == set()
    assert Counter(comment.question_slug for comment in comments)["about_the_111_service"] == 497
    answers = [answer for row in delivery.rows for answer in row.answers]
    assert Counter(answer.value_code for answer in answers if not answer.is_documented) == {"7": 416}
    assert sum(answer.value_code == "6" and answer.is_documented for answer in answers) == 24
    untidy = {row.service[0] for row in delivery.rows if row.has_untidy_space}
    assert untidy == {"patient_transport"}


def test_known_defects_of_dates_are_marked_and_decided(delivery: Delivery) -> None:
    readings = delivery.readings
    assert all(reading.submitted_on for reading in readings.values())
    bases = Counter(reading.basis for reading in readings.values())
    assert bases == {
        DateBasis.DECLARED: 7189,
        DateBasis.ALTERNATIVE_FORMAT: 289,
        DateBasis.CONFLICT_RULE: 430,
    }
    conflicting = [row for row in delivery.rows if readings[row.record_number].is_conflicting]
    assert len({row.response_id for row in conflicting}) == 503
    decided = {
        row.response_id: str(readings[row.record_number].note).split("; ")[1].split()[0]
        for row in conflicting
        if readings[row.record_number].basis is DateBasis.CONFLICT_RULE
    }
    assert Counter(decided.values()) == {"collected_between": 60, "nearest_in_sequence": 155}


def test_one_response_has_one_date_and_no_neas_service_goes_back_in_time(delivery: Delivery) -> None:
    dates: dict[str | None, set[object]] = {}
    sequences: dict[str | None, list[tuple[int, object]]] = {}
    for row in delivery.rows:
        submitted_on = delivery.readings[row.record_number].submitted_on
        dates.setdefault(row.response_id, set()).add(submitted_on)
        if row.organisation[0] == "neas":
            number = row.date_fact.sequence_number
            assert number is not None
            sequences.setdefault(row.service[0], []).append((number, submitted_on))
    assert max(map(len, dates.values())) == 1
    for numbered in sequences.values():
        in_order = [submitted_on for _, submitted_on in sorted(numbered, key=lambda pair: pair[0])]
        assert in_order == sorted(in_order, key=str)
