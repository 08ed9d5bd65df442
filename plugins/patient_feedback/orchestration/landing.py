"""Extract and land: files as they are, content-addressed; their rows as JSON; how many there were."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, BinaryIO, cast

import fsspec
import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.contract import stable_id
from patient_feedback.errors import UnreadableFileError
from patient_feedback.settings import Settings
from patient_feedback.sources.columns import missing_columns, unknown_columns
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredFile
from patient_feedback.sources.files import FoundFile, list_files, open_file
from patient_feedback.sources.reading import read_records
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

log = logging.getLogger(__name__)

COPY_CHUNK_BYTES = 1024 * 1024
IN_MEMORY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LandedSource:
    """The deliveries to decide on, and what was found to get there."""

    delivery_ids: list[str]
    file_count: int
    new_file_count: int
    record_count: int


def land_source(
    settings: Settings, source: Source, run_id: str, window: tuple[datetime, datetime] | None = None
) -> LandedSource:
    """Land every file of a source that is not landed yet.

    Returns the deliveries that no gate has decided on; with `window` also those decided ones whose file
    was written, or whose feedback was given, in [start, end).
    """
    files = [file for file in list_files(source) if window is None or _is_in(window, file.modified_at)]
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
    record_count += _read_again(settings, source, run_id)
    with connect(settings, "land_deliveries") as connection:
        delivery_ids = _deliveries_to_decide(connection, source, window)
    return LandedSource(delivery_ids, len(files), new_file_count, record_count)


def _is_in(window: tuple[datetime, datetime], moment: datetime) -> bool:
    return window[0] <= moment < window[1]


def _is_recognised(connection: psycopg.Connection, source: Source, file: FoundFile) -> bool:
    """True where a file of this name, size and time has landed: it need not be read to know it."""
    row = connection.execute(
        """
        update landing.delivery set last_seen_at = now()
        where source_slug = %s and file_name = %s and file_size_bytes = %s and file_modified_at = %s
        returning delivery_id
        """,
        (source.slug, file.name, file.size, file.modified_at),
    ).fetchone()
    return row is not None


def _land_file(
    connection: psycopg.Connection, settings: Settings, source: Source, file: FoundFile, run_id: str
) -> int | None:
    """Land one file; return its number of records, or None where its content had landed before."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local:
        file_sha256, size = _fetch(file, local)
        if size != file.size:
            log.info(
                "A file of source %s changed while it was read: left alone until the next run.", source.slug
            )
            return None
        delivery_id = stable_id(source.slug, file_sha256)
        seen = connection.execute(
            """
            update landing.delivery set last_seen_at = now() where delivery_id = %s returning delivery_id
            """,
            (delivery_id,),
        ).fetchone()
        if seen:
            return None
        landing_url = _store(settings, local, file_sha256)
        connection.execute(
            """
            insert into landing.delivery (
                delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at,
                landing_url, declaration_sha256, delivery_state
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, 'landed')
            """,
            (
                delivery_id,
                source.slug,
                file.name,
                file_sha256,
                size,
                file.modified_at,
                landing_url,
                source.declaration_sha256,
            ),
        )
        received_count = _read(connection, delivery_id, local, source)
    add_ledger_entry(
        connection, "delivery_landed", delivery_id, run_id, received_count, {"source_slug": source.slug}
    )
    return received_count


def _read_again(settings: Settings, source: Source, run_id: str) -> int:
    """Read landed files again that were read under another declaration; return how many records they have.

    A declaration that is put right thus reaches what was delivered before, without a new delivery.
    """
    record_count = 0
    with connect(settings, "land_deliveries") as connection:
        stale = connection.execute(
            "select delivery_id, landing_url from landing.delivery "
            "where source_slug = %s and declaration_sha256 <> %s order by file_modified_at, delivery_id",
            (source.slug, source.declaration_sha256),
        ).fetchall()
    for delivery_id, landing_url in stale:
        with (
            connect(settings, "land_deliveries") as connection,
            tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local,
        ):
            with fsspec.open(landing_url, "rb") as landed:
                shutil.copyfileobj(landed, local, COPY_CHUNK_BYTES)
            received_count = _read(connection, delivery_id, local, source)
            record_count += received_count
            add_ledger_entry(
                connection,
                "delivery_read_again",
                delivery_id,
                run_id,
                received_count,
                {"source_slug": source.slug},
            )
    return record_count


def _read(connection: psycopg.Connection, delivery_id: str, local: IO[bytes], source: Source) -> int:
    """Bring the records of a landed file to landing.record; refuse the delivery where no reader can."""
    local.seek(0)
    try:
        with connection.transaction():
            delivered = read_records(cast(BinaryIO, local), source)
            received_count = _copy_records(connection, delivery_id, delivered)
    except UnreadableFileError as refusal:
        # Of an earlier reading nothing may stand beside a count of zero.
        connection.execute("delete from landing.record where delivery_id = %s", (delivery_id,))
        connection.execute(
            """
            update landing.delivery
            set delivery_state = 'refused', refusal_reason = %s, received_count = 0, decided_at = now(),
                declaration_sha256 = %s
            where delivery_id = %s
            """,
            (str(refusal), source.declaration_sha256, delivery_id),
        )
        return 0
    connection.execute(
        """
        update landing.delivery
        set encoding = %s, is_declared_encoding = %s, column_names = %s, missing_columns = %s,
            unknown_columns = %s, received_count = %s, delivery_state = 'landed', refusal_reason = null,
            decided_at = null, declaration_sha256 = %s
        where delivery_id = %s
        """,
        (
            delivered.encoding,
            delivered.is_declared_encoding,
            list(delivered.column_names),
            list(missing_columns(delivered.column_names, source)),
            list(unknown_columns(delivered.column_names, source)),
            received_count,
            source.declaration_sha256,
            delivery_id,
        ),
    )
    return received_count


def _fetch(file: FoundFile, local: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open_file(file) as remote:
        while chunk := remote.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            local.write(chunk)
    return digest.hexdigest(), size


def _store(settings: Settings, local: IO[bytes], file_sha256: str) -> str:
    """Copy the file unchanged into the landing area; a half-written copy never bears the final name."""
    url = f"{settings.landing_url.rstrip('/')}/{file_sha256[:2]}/{file_sha256}"
    filesystem, path = fsspec.core.url_to_fs(url)
    if filesystem.exists(path):
        return url
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    local.seek(0)
    with filesystem.open(f"{path}.part", "wb") as target:
        shutil.copyfileobj(local, target, COPY_CHUNK_BYTES)
    filesystem.mv(f"{path}.part", path)
    return url


def _copy_records(connection: psycopg.Connection, delivery_id: str, delivered: DeliveredFile) -> int:
    """COPY the records; one that was there before keeps its state until it is decided anew."""
    connection.execute(
        "create temporary table delivered (record_number integer, payload jsonb, defects text[]) on commit drop"
    )
    received_count = 0
    with connection.cursor() as cursor, cursor.copy("copy delivered from stdin") as copy:
        for record in delivered.records:
            copy.write_row((record.record_number, Jsonb(record.payload), list(record.defects)))
            received_count += 1
    connection.execute(
        """
        delete from landing.record
        where delivery_id = %s and record_number not in (select record_number from delivered)
        """,
        (delivery_id,),
    )
    connection.execute(
        """
        insert into landing.record as landed (delivery_id, record_number, payload, defects)
        select %s, record_number, payload, defects from delivered
        on conflict (delivery_id, record_number) do update
        set payload = excluded.payload, defects = excluded.defects
        """,
        (delivery_id,),
    )
    connection.execute("drop table delivered")
    return received_count


def _deliveries_to_decide(
    connection: psycopg.Connection, source: Source, window: tuple[datetime, datetime] | None
) -> list[str]:
    start, end = window or (None, None)
    rows: Iterator[tuple[str]] = iter(
        connection.execute(
            """
            select delivery_id
            from landing.delivery
            where source_slug = %(source_slug)s
                and (
                    delivery_state = 'landed'
                    or (delivery_state = 'refused' and (
                        not exists (
                            select from audit.check_result where checked_subject = delivery.delivery_id
                        )
                        or exists (select from feedback.record where record.delivery_id = delivery.delivery_id)
                    ))
                    -- What a person released or waived since goes on with the next run.
                    or exists (
                        select from landing.set_aside
                        where set_aside.delivery_id = delivery.delivery_id
                            and set_aside.decided_at > coalesce(delivery.decided_at, '-infinity')
                    )
                    or (file_modified_at >= %(start)s and file_modified_at < %(end)s)
                    or exists (
                        select
                        from feedback.record
                        inner join feedback.response using (response_id)
                        where record.delivery_id = delivery.delivery_id
                            and response.submitted_on >= %(start)s::timestamptz::date
                            and response.submitted_on < %(end)s::timestamptz::date
                    )
                )
            order by file_modified_at, file_name, delivery_id
            """,
            {"source_slug": source.slug, "start": start, "end": end},
        )
    )
    return [delivery_id for (delivery_id,) in rows]
