"""Reads JSON Lines: one object per line, nested objects as dotted columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import (
    LINE_KEY,
    Defect,
    DeliveredFile,
    DeliveredRecord,
    kept_line,
)
from patient_feedback.sources.renaming import Renaming
from patient_feedback.sources.spelling import free_name, loose_key
from patient_feedback.sources.stored_text import DecodedText

DEEPEST = 100
"""So many levels of lists and objects a record may have: what reads it goes down one by one."""


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return the records of a JSON Lines file, read as a stream in constant memory.

    `column_names` grows while `records` is read: any line may bring a new key. At the end it is without the columns
    that seem renamed in some lines. Blank lines are no records.
    Raises UnreadableFileError for an empty file and for one JSON array over many lines.
    """
    file = DeliveredFile(records=iter(()))
    file.records = _records(file, DecodedText(stream, source.format.encodings, newline="\n"), source)
    return file


def _records(file: DeliveredFile, text: DecodedText, source: Source) -> Iterator[DeliveredRecord]:
    spellings = declared_spellings(source)
    kept: dict[str, str | None] = {}
    names: dict[str, None] = {}
    renaming = Renaming(source)
    number = 0
    for line in text.lines():
        stripped = line.strip()
        if not stripped:
            continue
        number += 1
        defects: set[str] = set()
        content = _object(stripped)
        if content is None:
            if number == 1 and stripped == "[":
                raise UnreadableFileError("The file is one JSON array: deliver one object per line.")
            payload: dict[str, Any] = {LINE_KEY: text.mend(kept_line(stripped, source), defects)}
            defects.add(Defect.UNREADABLE_LINE)
        else:
            payload = {}
            for key, value in _flattened(content):
                if key not in kept:
                    name = spellings.get(loose_key(key), text.mend(key, defects))
                    kept[key] = None if source.ignores(name) else name
                if (kept_name := kept[key]) is not None:
                    if source.ignore_columns and isinstance(value, list):
                        value = _without_ignored(value, key, source)
                    if kept_name in payload:
                        kept_name = _another(kept_name, key, payload)
                    payload[kept_name] = text.mend(value, defects)
            if not names.keys() >= payload.keys():
                names |= dict.fromkeys(payload)
                file.column_names = tuple(names)
            renaming.see(payload)
        file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding
        yield DeliveredRecord(number, payload, tuple(sorted(defects)))
    file.column_names = tuple(name for name in names if name not in renaming.renamed)


def _object(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(
            line, parse_float=_storable_number, parse_constant=str, object_pairs_hook=_members
        )
    except (ValueError, RecursionError):
        return None
    # Where there are few brackets nothing is deep.
    is_deep = line.count("[") + line.count("{") > DEEPEST and _is_deeper_than(DEEPEST, content)
    return content if isinstance(content, dict) and not is_deep else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        content = {}
        for key, value in pairs:
            content[free_name(key, content) if key in content else key] = value
    return content


def _another(name: str, key: str, payload: dict[str, Any]) -> str:
    """Return the column for a second value of one name; the key that is spelt as declared keeps the name."""
    other = free_name(name, payload)
    if key != name:
        return other
    payload[other] = payload[name]
    return name


def _is_deeper_than(most: int, content: Any) -> bool:
    level = [content]
    for _ in range(most):
        below = (part.values() if isinstance(part, dict) else part for part in level)
        level = [part for parts in below for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _storable_number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _without_ignored(value: Any, path: str, source: Source) -> Any:
    """Return the value without what is ignored of the objects in its lists, which are not columns."""
    if isinstance(value, list):
        return [_without_ignored(part, path, source) for part in value]
    if isinstance(value, dict):
        return {
            key: _without_ignored(part, f"{path}.{key}", source)
            for key, part in value.items()
            if not source.ignores(f"{path}.{key}")
        }
    return value


def _flattened(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
