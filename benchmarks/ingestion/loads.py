"""The ways into a database that are compared: ours, a bare COPY, and an upsert page by page."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TextIO

from psycopg import sql

from patient_feedback.orchestration.acceptance import Redact, accept_delivery
from patient_feedback.orchestration.candidates import map_delivery
from patient_feedback.orchestration.ingestion import check_delivery
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.warehouse.connection import connect

CHUNK_BYTES = 1 << 20
PAGE_SIZE = 100


def land(settings: Settings, source: Source) -> list[str]:
    """Bring the file of a source to landing.record, the file itself to the landing area; return its delivery."""
    return land_source(settings, source, "bench").delivery_ids


def decide(settings: Settings, source: Source, delivery_ids: Sequence[str], redact: Redact) -> int:
    """Take landed deliveries through mapping, gate and acceptance to `feedback`; return the records accepted."""
    accepted_count = 0
    for delivery_id in delivery_ids:
        map_delivery(settings, source, delivery_id)
        check_delivery(settings, source, delivery_id, "bench")
        accepted_count += accept_delivery(settings, source, delivery_id, "bench", redact, "1").accepted_count
    return accepted_count


def copy_bare(settings: Settings, path: Path) -> None:
    """COPY the same bytes into a table of texts, nothing read, nothing checked.

    The table is there before, as landing.record is: of one made in the same transaction PostgreSQL writes no log.
    """
    with opened(path) as stream, connect(settings, "bench") as connection:
        columns = next(csv.reader([stream.readline().decode()]))
        connection.execute(_table("bare", columns))
        connection.commit()
        with connection.cursor().copy("copy bare from stdin with (format csv)") as copy:
            while chunk := stream.read(CHUNK_BYTES):
                copy.write(chunk)


def upsert_pages(settings: Settings, path: Path, key: Sequence[str]) -> None:
    """Insert or update page by page, a transaction each: how a connector without a landing area loads."""
    with opened(path) as stream, connect(settings, "bench") as connection:
        reader = csv.DictReader(_text(stream))
        columns = list(reader.fieldnames or ())
        connection.execute(_table("loaded", columns, key))
        connection.commit()
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL(
            "insert into loaded ({}) values ({}) on conflict ({}) do update set ({}) = row ({})"
        ).format(
            names,
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
            sql.SQL(", ").join(map(sql.Identifier, key)),
            names,
            sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(name)) for name in columns),
        )
        while page := [tuple(row.values()) for row in islice(reader, PAGE_SIZE)]:
            connection.cursor().executemany(statement, page)
            connection.commit()


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a table, or the one table of an archive."""
    if path.suffix != ".zip":
        with path.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
        yield stream


def _text(stream: IO[bytes]) -> TextIO:
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _table(name: str, columns: Sequence[str], key: Sequence[str] = ()) -> sql.Composed:
    definitions = [sql.SQL("{} text").format(sql.Identifier(column)) for column in columns]
    if key:
        definitions.append(sql.SQL("primary key ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
    return sql.SQL("create table {} ({})").format(sql.Identifier(name), sql.SQL(", ").join(definitions))
