"""One source of files in each kind of place (a folder, an S3 bucket, an SFTP server) and in each format."""

from __future__ import annotations

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from channel import declare
from emulators.s3 import S3
from emulators.sftp import LOGIN, PASSWORD, Sftp

from patient_feedback.sources.extraction import SourceConnection

HEADER = ("id", "date", "status", "words")
NOON = 1_750_000_000
MAPPING = {
    "record_ref": "id",
    "submitted_on": {"column": "date", "formats": ["%Y-%m-%d"]},
    "withdrawn": {"column": "status", "values": ["withdrawn"]},
    "comments": [{"column": "words", "question": {"slug": "story", "intent": "open"}}],
}


def rows_of(*records: tuple[str, ...]) -> bytes:
    """Return a CSV of (id, words), or of (id, words, date), or of (id, words, date, status)."""
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *_rows(records)])
    return text.getvalue().encode()


def workbook_of(*records: tuple[str, ...]) -> bytes:
    """Return the same as an Excel workbook."""
    from openpyxl import Workbook

    book, content = Workbook(), io.BytesIO()
    for row in (HEADER, *_rows(records)):
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def lines_of(*records: tuple[str, ...]) -> bytes:
    """Return the same as JSON Lines."""
    lines = (json.dumps(dict(zip(HEADER, row, strict=True))) for row in _rows(records))
    return "".join(f"{line}\n" for line in lines).encode()


def _rows(records: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for one in records:
        number, words, date, status = (*one, "2026-03-02", "")[:4] if len(one) == 2 else (*one, "")[:4]
        yield number, date, status, words


FORMATS: dict[str, Callable[..., bytes]] = {"csv": rows_of, "xlsx": workbook_of, "jsonl": lines_of}


class Drop(ABC):
    """A place to which somebody delivers files."""

    connection: SourceConnection | None = None
    ending: str = "csv"

    def __init__(self) -> None:
        self.moment: float = NOON

    def written(self, *records: tuple[str, ...]) -> bytes:
        return FORMATS[self.ending](*records)

    def deliver(self, name: str, *records: tuple[str, ...]) -> None:
        self.put(f"{name}.{self.ending}", self.written(*records))

    @property
    @abstractmethod
    def path(self) -> str:
        """What `where.path` says."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Deliver a file, later than those before."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Give a delivered file its final name."""

    def declared(self, folder: Path, **fields: Any) -> Any:
        where = {"path": self.path, **fields.pop("where", {})}
        connection = self.connection.name if self.connection else None
        return declare(folder, "drop", f"{self.ending}_file", where=where, connection=connection, **fields)


class FolderDrop(Drop):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> str:
        return str(self.folder)

    def put(self, name: str, content: bytes) -> None:
        self.moment += 60
        (self.folder / name).write_bytes(content)
        os.utime(self.folder / name, (self.moment, self.moment))

    def rename(self, old: str, new: str) -> None:
        (self.folder / old).rename(self.folder / new)


class SftpDrop(FolderDrop):
    def __init__(self, server: Sftp) -> None:
        super().__init__(server.folder / "in")
        self.server = server
        self.connection = SourceConnection(
            "drop_system", "sftp://", LOGIN, PASSWORD, {"host_key": server.host_keys[0], "conn_timeout": 10}
        )

    @property
    def path(self) -> str:
        return f"{self.server.url}/in"


class S3Drop(Drop):
    def __init__(self, store: S3) -> None:
        super().__init__()
        self.store, self.contents = store, dict[str, bytes]()
        self.connection = SourceConnection(
            "drop_system",
            store.url,
            store.key,
            store.secret,
            {"region_name": "eu-west-2", "config_kwargs": {"retries": {"max_attempts": 0}}},
        )

    @property
    def path(self) -> str:
        return f"s3://{self.store.bucket}/in"

    def put(self, name: str, content: bytes) -> None:
        self.contents[name] = content
        self.store.put(f"in/{name}", content)

    def rename(self, old: str, new: str) -> None:
        self.put(new, self.contents[old])
        self.store.remove(f"in/{old}")
