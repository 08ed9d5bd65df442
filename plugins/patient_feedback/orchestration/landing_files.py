"""Land the files of a source that are not landed yet."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from datetime import datetime
from typing import IO

import psycopg

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

log = logging.getLogger(__name__)


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
            if _is_recognised(connection, source, file):
                continue
            landed = _land_file(connection, settings, source, file, run_id)
        if landed is not None:
            new_file_count += 1
            record_count += landed
    return LandedCounts(len(files), new_file_count, record_count)


def _is_in(window: tuple[datetime, datetime], moment: datetime) -> bool:
    return window[0] <= moment < window[1]


def _is_recognised(connection: psycopg.Connection, source: Source, file: FoundFile) -> bool:
    """True where a file of this name, size and time has landed: it need not be read to know it.

    Not where a manifest refused it that was mended since.
    """
    row = connection.execute(
        """
        update landing.delivery set last_seen_at = now()
        where source_slug = %s and file_name = %s and file_size_bytes = %s and file_modified_at = %s
            and not (
                starts_with(coalesce(refusal_reason, ''), %s) and file_sha256 is not distinct from %s::text
            )
        returning delivery_id
        """,
        (source.slug, file.name, file.size, file.modified_at, MISMATCH, file.listed.sha256),
    ).fetchone()
    return row is not None


def _land_file(
    connection: psycopg.Connection, settings: Settings, source: Source, file: FoundFile, run_id: str
) -> int | None:
    """Land one file; return its number of records, or None where its content had landed before."""
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
        delivery_id = stable_id(source.slug, file_sha256)
        seen = connection.execute(
            """
            update landing.delivery set last_seen_at = now() where delivery_id = %s
            returning starts_with(coalesce(refusal_reason, ''), %s)
            """,
            (delivery_id, MISMATCH),
        ).fetchone()
        if seen == (True,) and file.listed.sha256 == file_sha256:
            connection.execute(
                "update landing.delivery set source_count = %s where delivery_id = %s",
                (file.listed.record_count, delivery_id),
            )
            event = "delivery_read_again"
            received_count = read_delivery(connection, delivery_id, local, source)
        elif seen:
            return None
        else:
            landed = LandedFile(
                file.name,
                file_sha256,
                size,
                file.modified_at,
                source_count=file.listed.record_count,
                listed_sha256=file.listed.sha256,
            )
            event = "delivery_landed"
            received_count = land_bytes(connection, settings, source, local, landed)
    add_ledger_entry(connection, event, delivery_id, run_id, received_count, {"source_slug": source.slug})
    return received_count


def _fetch(file: FoundFile, local: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open_file(file) as remote:
        while chunk := remote.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            local.write(chunk)
    return digest.hexdigest(), size
