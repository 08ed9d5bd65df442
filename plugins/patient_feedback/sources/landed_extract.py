"""How an extract lies in the landing area: JSON Lines, the first of which says when and what was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import IO, Any, BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import Defect, DeliveredFile, DeliveredRecord
from patient_feedback.sources.extraction import WITHDRAWN_KEY, RawRecord, Window, kind_module
from patient_feedback.sources.shape import UNREAD, Drift
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import DecodedText

ENCODING = "utf-8"
KNOWN_PAYLOAD_KEY = "known"
"""In a line of a withdrawal: what the warehouse knew of the record, less its words."""


def write_head(target: IO[bytes], source: Source, extracted_at: datetime, window: Window | None) -> None:
    """Write the first line; it also keeps two extracts with the same records apart, such as A, B, and A again."""
    asked = [moment.isoformat() for moment in window] if window else None
    head = {
        "source": source.slug,
        "kind": source.kind,
        "extracted_at": extracted_at.isoformat(),
        "window": asked,
    }
    target.write(_line({"extract": head}))


def write_record(target: IO[bytes], record: RawRecord, known: Mapping[str, Any] | None = None) -> None:
    """Write one record; `known` are columns of the payload of a record that is withdrawn without being shown."""
    line: dict[str, Any] = {"key": record.key, "content": record.content}
    if record.is_withdrawn:
        line |= {"is_withdrawn": True}
        if known is not None:
            line |= {KNOWN_PAYLOAD_KEY: known}
    target.write(_line(line))


def content_sha256(record: RawRecord) -> str:
    """Return what tells two versions of a record apart."""
    return hashlib.sha256(_line([record.content, record.is_withdrawn])).hexdigest()


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return the records of a landed extract as flat columns, read as a stream in constant memory."""
    text = DecodedText(stream, [ENCODING], newline="\n")
    lines = text.lines()
    try:
        is_extract = "extract" in json.loads(next(lines))
    except (StopIteration, ValueError):
        is_extract = False
    if not is_extract:
        raise UnreadableFileError("The landed file is no extract of this kind of source.")
    file = DeliveredFile(records=iter(()), encoding=ENCODING)
    file.records = _records(file, text, lines, source)
    return file


def _records(
    file: DeliveredFile, text: DecodedText, lines: Iterator[str], source: Source
) -> Iterator[DeliveredRecord]:
    module = kind_module(source.kind)
    # What a record of the kind always has is no missing column where an extract holds withdrawals alone,
    # nor is any where it holds nothing and only the source's count is off.
    names = dict.fromkeys(name for name in module.payload({}) if not source.ignores(name))
    drift = Drift(module.SHAPE, partial(_is_expected, source)) if module.SHAPE else None
    file.column_names = tuple({**names, **dict.fromkeys(source.mapping.columns)})
    spellings = declared_spellings(source)
    for number, line in enumerate(lines, start=1):
        defects: set[str] = set()
        landed = json.loads(line)
        content = landed["content"]
        columns = landed.get(KNOWN_PAYLOAD_KEY) or module.payload(content)
        if content.get(UNREAD) is True:
            defects.add(Defect.UNREADABLE_LINE)
        if content and drift is not None:
            drift.see(content)
            # What the kind does not know is read where the declaration names it.
            columns = {name: content[name] for name in content if loose_key(name) in spellings} | columns
        payload = {
            spellings.get(loose_key(name), text.mend(name, defects)): text.mend(value, defects)
            for name, value in columns.items()
            if not source.ignores(name)
        }
        names.update(dict.fromkeys(payload))
        if landed.get("is_withdrawn"):
            names.update(dict.fromkeys(source.mapping.columns))
            payload[WITHDRAWN_KEY] = True
        file.column_names = tuple(names)
        yield DeliveredRecord(number, payload, tuple(sorted(defects)))
    if drift is not None and drift.count:
        # Without the columns that cannot be believed, and with the keys that nobody knows.
        lost = drift.lost_columns
        file.column_names = (
            *(name for name in names if name not in lost),
            *(name for name in drift.unknown if name not in names),
        )


def _is_expected(source: Source, key: str) -> bool:
    return source.ignores(key) or loose_key(key) in declared_spellings(source)


def _line(value: Any) -> bytes:
    # Escaped: a lone surrogate of a source's JSON cannot be written otherwise.
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode() + b"\n"
