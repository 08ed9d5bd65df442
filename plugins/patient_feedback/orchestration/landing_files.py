"""Land the files of a source that are not landed yet."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Literal

import psycopg
from psycopg import sql

from patient_feedback.contract import stable_id
from patient_feedback.orchestration.landing_area import (
    COPY_CHUNK_BYTES,
    IN_MEMORY_BYTES,
    MISMATCH,
    LandedCounts,
    LandedFile,
    land_bytes,
    read_delivery,
)
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import SourceConnection, Window
from patient_feedback.sources.files import ChangedFileError, FoundFile, is_as_found, list_files, open_file
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

SETTLED_AFTER = timedelta(minutes=1)
"""A file that was read so long after its last writing cannot be written again with the same time: clocks tick in up to
two seconds, and that of a place may be somewhat behind."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SeenFile:
    """What a file name held when it was last read."""

    sha256: str
    version: str
    read_at: datetime
    delivery_id: str
    is_refused_by_manifest: bool


def land_files(
    settings: Settings,
    source: Source,
    run_id: str,
    window: Window | None,
    source_connection: SourceConnection | None = None,
) -> LandedCounts:
    """Land every file that is not landed yet, each in a transaction of its own."""
    found = list_files(source, connection=source_connection)
    files = [file for file in found if window is None or _is_in(window, file.modified_at)]
    new_file_count = record_count = 0
    for file in files:
        with connect(settings, "land_deliveries") as connection:
            connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"landing:{source.slug}",))
            seen = _seen(connection, source, "file_name", file.name)
            if seen is not None and _is_recognised(seen, file):
                _note_sight(connection, seen.delivery_id)
                continue
            landed = _land_file(connection, settings, source, file, seen, run_id)
        if landed is not None:
            new_file_count += 1
            record_count += landed
    return LandedCounts(len(files), new_file_count, record_count)


def _is_in(window: tuple[datetime, datetime], moment: datetime) -> bool:
    return window[0] <= moment < window[1]


def _seen(
    connection: psycopg.Connection,
    source: Source,
    known_by: Literal["file_name", "file_sha256"],
    value: str,
) -> _SeenFile | None:
    """Return what the file of this name, or one of this content, held when it was last read."""
    row = connection.execute(
        sql.SQL(
            """
            select
                seen.file_sha256, seen.file_version, seen.read_at, seen.delivery_id,
                starts_with(coalesce(delivery.refusal_reason, ''), %s)
            from landing.seen_file as seen
            inner join landing.delivery using (delivery_id)
            where seen.source_slug = %s and seen.{} = %s
            order by delivery.landed_at desc, seen.delivery_id
            limit 1
            """
        ).format(sql.Identifier(known_by)),
        (MISMATCH, source.slug, value),
    ).fetchone()
    return None if row is None else _SeenFile(*row)


def _is_recognised(seen: _SeenFile, file: FoundFile) -> bool:
    """True where the place tells that the file is as it was read: it need not be read to know it.

    Not where it was read so soon after it was written that the next writing may bear the same time, nor where a
    manifest refused it that was mended since.
    """
    is_mended = seen.is_refused_by_manifest and file.listed.sha256 == seen.sha256
    is_doubtful = file.changed_at is not None and file.changed_at > seen.read_at - SETTLED_AFTER
    return seen.version == file.version and not is_doubtful and not is_mended


def _land_file(
    connection: psycopg.Connection,
    settings: Settings,
    source: Source,
    file: FoundFile,
    seen: _SeenFile | None,
    run_id: str,
) -> int | None:
    """Land one file; return its number of records, or None where its content says nothing new."""
    read_at = datetime.now(UTC)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local:
        try:
            file_sha256, size = _fetch(file, local)
            is_whole = size == file.size and is_as_found(file)
        except ChangedFileError:
            is_whole = False
        if not is_whole:
            log.info(
                "A file of source %s changed while it was read: left alone until the next run.", source.slug
            )
            return None
        known = _known(connection, source, file_sha256, seen)
        event, received_count = "", None
        if known is None:
            landed = LandedFile(
                _new_delivery_id(connection, source, file_sha256),
                file.name,
                file_sha256,
                size,
                _moment_in_order(connection, source, file),
                source_count=file.listed.record_count,
                listed_sha256=file.listed.sha256,
            )
            delivery_id, event = landed.delivery_id, "delivery_landed"
            received_count = land_bytes(connection, settings, source, local, landed)
        else:
            delivery_id = known.delivery_id
            _note_sight(connection, delivery_id)
            if known.is_refused_by_manifest and file.listed.sha256 == file_sha256:
                connection.execute(
                    "update landing.delivery set source_count = %s where delivery_id = %s",
                    (file.listed.record_count, delivery_id),
                )
                event = "delivery_read_again"
                received_count = read_delivery(connection, delivery_id, local, source)
            elif seen is None:
                log.info("A file of source %s is a copy of another one: it says nothing new.", source.slug)
    _note_reading(connection, source, file, file_sha256, delivery_id, read_at)
    if received_count is not None:
        add_ledger_entry(connection, event, delivery_id, run_id, received_count, {"source_slug": source.slug})
    return received_count


def _known(
    connection: psycopg.Connection, source: Source, file_sha256: str, seen: _SeenFile | None
) -> _SeenFile | None:
    """Return the file that says what this one does; None where this one says it anew.

    Content that came before is said anew where the name said something else since, or where no other name says it.
    """
    if seen is not None:
        return seen if seen.sha256 == file_sha256 else None
    return _seen(connection, source, "file_sha256", file_sha256)


def _new_delivery_id(connection: psycopg.Connection, source: Source, file_sha256: str) -> str:
    """Return the id of the content, and another one each time that it is put back."""
    row = connection.execute(
        "select count(*) from landing.delivery where source_slug = %s and file_sha256 = %s",
        (source.slug, file_sha256),
    ).fetchone()
    assert row is not None
    return stable_id(source.slug, file_sha256, *([str(row[0])] if row[0] else []))


def _moment_in_order(connection: psycopg.Connection, source: Source, file: FoundFile) -> datetime:
    """Return when the file was written, but after what it replaced: one that is put back may keep its old time.

    And not after the present: a time of a clock that is ahead would make what comes until then look older.
    """
    row = connection.execute(
        """
        select greatest(
            least(%s, clock_timestamp()),
            max(file_modified_at) + interval '1 microsecond'
        )
        from landing.delivery
        where source_slug = %s and file_name = %s
        """,
        (file.modified_at, source.slug, file.name),
    ).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def _note_sight(connection: psycopg.Connection, delivery_id: str) -> None:
    connection.execute(
        "update landing.delivery set last_seen_at = now() where delivery_id = %s", (delivery_id,)
    )


def _note_reading(
    connection: psycopg.Connection,
    source: Source,
    file: FoundFile,
    file_sha256: str,
    delivery_id: str,
    read_at: datetime,
) -> None:
    connection.execute(
        """
        insert into landing.seen_file (source_slug, file_name, file_sha256, file_version, delivery_id, read_at)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (source_slug, file_name) do update
        set file_sha256 = excluded.file_sha256, file_version = excluded.file_version,
            delivery_id = excluded.delivery_id, read_at = excluded.read_at
        """,
        (source.slug, file.name, file_sha256, file.version, delivery_id, read_at),
    )


def _fetch(file: FoundFile, local: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open_file(file) as remote:
        while chunk := remote.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            local.write(chunk)
    return digest.hexdigest(), size
