"""Reads transcripts of calls and telehealth sessions: JSON Lines with turns, of which only the patient's are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import LINE_KEY, Defect, DeliveredFile, DeliveredRecord
from patient_feedback.sources.moments import moment_text
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import DecodedText

TEXT_COLUMNS = ("call_id", "status", "channel", "service")
MOMENT_COLUMNS = ("started_at", "ended_at")
TURN_COLUMNS = ("turn_count", "patient_turn_count", "patient_turns")


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return one record for each call, read as a stream in constant memory.

    Nothing but the columns above goes into a record: no other speaker's words, no name, no number. A line that is no
    transcript is kept as its length alone, since it may hold all of these. Raises UnreadableFileError for an
    empty file.
    """
    file = DeliveredFile(records=iter(()))
    file.records = _records(file, DecodedText(stream, source.format.encodings, newline="\n"), source)
    return file


def _records(file: DeliveredFile, text: DecodedText, source: Source) -> Iterator[DeliveredRecord]:
    roles = frozenset(map(loose_key, source.format.patient_roles))
    names: dict[str, None] = {}
    number = 0
    for line in text.lines():
        if not line.strip():
            continue
        number += 1
        defects: set[str] = set()
        call = _call(line)
        if call is None:
            payload: dict[str, Any] = {LINE_KEY: f"({len(line.strip())} characters that are no transcript)"}
            defects.add(Defect.UNREADABLE_LINE)
        else:
            columns = _columns(call, roles)
            payload = {
                name: text.mend(value, defects) for name, value in columns.items() if not source.ignores(name)
            }
            names.update(dict.fromkeys(payload))
        file.column_names = tuple(names)
        file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding
        yield DeliveredRecord(number, payload, tuple(sorted(defects)))


def _call(line: str) -> Mapping[str, Any] | None:
    try:
        call = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_call = isinstance(call, dict) and isinstance(call.get("turns", []), list | None)
    return call if is_call else None


def _columns(call: Mapping[str, Any], roles: frozenset[str]) -> dict[str, Any]:
    turns = call.get("turns") or []
    said = [turn for turn in turns if _is_of(turn, roles)]
    columns: dict[str, Any] = {name: _plain(call[name]) for name in TEXT_COLUMNS if name in call}
    columns |= {
        name: moment_text(call[name]) or _plain(call[name]) for name in MOMENT_COLUMNS if name in call
    }
    texts = [turn["text"] for turn in said if isinstance(turn.get("text"), str) and turn["text"].strip()]
    return columns | dict(zip(TURN_COLUMNS, (len(turns), len(said), "\n".join(texts)), strict=True))


def _is_of(turn: Any, roles: frozenset[str]) -> bool:
    return isinstance(turn, dict) and isinstance(turn.get("role"), str) and loose_key(turn["role"]) in roles


def _plain(value: Any) -> str | None:
    """Return a text or number as text; what is nested is no field of a transcript, and may hold a person's name."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)
