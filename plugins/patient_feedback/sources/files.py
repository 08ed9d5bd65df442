"""Finds and opens the files of a source, on a disk or in an object store alike (fsspec)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, cast

import fsspec

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.declaration import Source, SourceKind

UNFINISHED_SUFFIXES = (".filepart", ".part", ".partial", ".tmp", ".crdownload")
DEFAULT_PATTERNS = {
    SourceKind.CSV_FILE: "*.csv",
    SourceKind.XLSX_FILE: "*.xlsx",
    SourceKind.JSONL_FILE: "*.jsonl",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is there to be landed; `size` in bytes, `modified_at` in UTC."""

    url: str
    name: str
    size: int
    modified_at: datetime


def list_files(source: Source, now: datetime | None = None) -> list[FoundFile]:
    """Return the source's files, oldest first; one that is still being written is left for the next run.

    A path that is a file is taken whatever its name; of a folder (not of those below it), the files that
    match `where.pattern`. S3 takes its keys and AWS_ENDPOINT_URL from the environment. Raises FeedbackError
    where the place does not exist or may not be read.
    """
    assert source.where is not None
    pattern = source.where.pattern or DEFAULT_PATTERNS[source.kind]
    file_system, path = fsspec.core.url_to_fs(source.where.path)
    # A listing kept from an earlier call would hide what came since.
    file_system.invalidate_cache()
    try:
        if file_system.isfile(path):
            entries = [file_system.info(path)]
        else:
            entries = [entry for entry in file_system.ls(path, detail=True) if _is_delivered(entry, pattern)]
    except FileNotFoundError:
        raise FeedbackError(
            f"The source '{source.slug}' is declared to lie at {source.where.path}, where there is nothing: "
            "make the folder, or mend where.path."
        ) from None
    except PermissionError:
        raise FeedbackError(
            f"The files of the source '{source.slug}' at {source.where.path} may not be read: "
            "give this user, or these credentials, the right to read them."
        ) from None
    found = [
        FoundFile(file_system.unstrip_protocol(entry["name"]), _name(entry), entry["size"], modified_at)
        for entry in entries
        if _is_settled(modified_at := _modified_at(entry), source.where.settle_seconds, now)
    ]
    return sorted(found, key=lambda file: (file.modified_at, file.name))


def open_file(file: FoundFile) -> AbstractContextManager[BinaryIO]:
    """Open a found file for reading bytes; close it by leaving the block."""
    return cast(AbstractContextManager[BinaryIO], fsspec.open(file.url, "rb"))


def _is_delivered(entry: Mapping[str, Any], pattern: str) -> bool:
    name = _name(entry)
    is_hidden = name.startswith((".", "~$"))
    is_finished = not name.lower().endswith(UNFINISHED_SUFFIXES)
    return entry["type"] == "file" and is_finished and not is_hidden and fnmatchcase(name, pattern)


def _is_settled(modified_at: datetime, settle_seconds: int, now: datetime | None) -> bool:
    if settle_seconds == 0:
        return True
    return modified_at <= (now or datetime.now(UTC)) - timedelta(seconds=settle_seconds)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"]).rsplit("/", 1)[-1]


def _modified_at(entry: Mapping[str, Any]) -> datetime:
    modified = entry.get("LastModified", entry.get("mtime"))
    if isinstance(modified, datetime):
        return modified.astimezone(UTC) if modified.tzinfo else modified.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(modified or 0), tz=UTC)
