"""Chooses the reader of a source's kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from patient_feedback.sources import (
    csv_file,
    hcahps_file,
    jsonl_file,
    landed_extract,
    nhs_fft_file,
    transcript_file,
    xlsx_file,
)
from patient_feedback.sources.declaration import Source, SourceKind
from patient_feedback.sources.delivered_file import DeliveredFile

READERS: dict[SourceKind, Callable[[BinaryIO, Source], DeliveredFile]] = {
    SourceKind.CSV_FILE: csv_file.read_records,
    SourceKind.XLSX_FILE: xlsx_file.read_records,
    SourceKind.JSONL_FILE: jsonl_file.read_records,
    SourceKind.TRANSCRIPT_FILE: transcript_file.read_records,
    SourceKind.HCAHPS_FILE: hcahps_file.read_records,
    SourceKind.NHS_FFT_FILE: nhs_fft_file.read_records,
}


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return the records of a delivered file, or of a landed extract, by its source's kind.

    `stream` is seekable and at its start. Raises UnreadableFileError where the file holds no records at all
    that can be told apart; one bad record is a defect of that record.
    """
    return READERS.get(source.kind, landed_extract.read_records)(stream, source)
