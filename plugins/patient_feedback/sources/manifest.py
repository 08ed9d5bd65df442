"""Reads a manifest: a file beside the deliveries that lists their names, and their counts, hashes or both."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.spelling import loose_key

NAME_KEYS = ("file", "file_name", "filename", "name")
SHA256_KEYS = ("sha256", "sha_256", "sha-256")
COUNT_KEYS = ("records", "record_count", "count", "rows", "row_count")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECKSUM_LINE = re.compile(r"(?P<sha256>[0-9A-Fa-f]{64}) [ *](?P<file>.+)")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """What a manifest says of a file; None where it does not say it."""

    sha256: str | None = None
    record_count: int | None = None


def read_manifest(content: bytes, name: str) -> dict[str, ListedFile]:
    """Return what the manifest lists, by name of file without its folder.

    JSON (a list of objects, or an object with one under `files`), CSV with a header, or lines of sha256sum.
    Raises FeedbackError where it is none of these.
    """
    try:
        rows = list(_rows(content.decode("utf-8-sig")))
        return dict(map(_listed, rows))
    except (ValueError, csv.Error) as error:
        raise FeedbackError(
            f"The manifest {name} cannot be read ({error}). Expected: JSON or CSV that gives each file's name as "
            f"{NAME_KEYS[0]}, and {SHA256_KEYS[0]}, {COUNT_KEYS[0]} or both; or lines as sha256sum writes them. If it "
            "was still being written, set where.settle_seconds."
        ) from None


def _rows(text: str) -> Iterator[Mapping[str, Any]]:
    if text.lstrip().startswith(("{", "[")):
        given = json.loads(text)
        files = given.get("files", [given]) if isinstance(given, dict) else given
        if not isinstance(files, list) or not all(isinstance(row, dict) for row in files):
            raise ValueError("it holds no list of files")
        yield from files
        return
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_CHECKSUM_LINE.fullmatch(line.strip()) for line in lines]
    if found and found[0]:
        # The last line may be half written; a file that is not listed waits.
        yield from (one.groupdict() for one in found if one)
        return
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    yield from csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)


def _listed(row: Mapping[str, Any]) -> tuple[str, ListedFile]:
    given = {loose_key(key): value for key, value in row.items() if isinstance(key, str)}
    name, sha256, count = (_first(given, keys) for keys in (NAME_KEYS, SHA256_KEYS, COUNT_KEYS))
    if name is None:
        raise ValueError("a row of it names no file")
    sha256 = None if sha256 is None else sha256.lower()
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise ValueError("what it gives as SHA-256 is none")
    if count is not None and not count.isdecimal():
        raise ValueError("what it gives as number of records is none")
    return name.replace("\\", "/").rsplit("/", 1)[-1], ListedFile(
        sha256, None if count is None else int(count)
    )


def _first(given: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    texts = (str(given[key]).strip() for key in keys if given.get(key) is not None)
    return next((text for text in texts if text), None)
