"""The landing area: files as they are, content-addressed; their rows as JSON; how many there were."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from typing import IO, BinaryIO, cast

import fsspec
import msgspec
import psycopg

from patient_feedback.errors import UnreadableFileError
from patient_feedback.settings import Settings
from patient_feedback.sources.columns import missing_columns, unknown_columns
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredFile
from patient_feedback.sources.reading import read_records
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

COPY_CHUNK_BYTES = 1024 * 1024
COPIED_AT_ONCE_BYTES = 128 * 1024
"""So little that PostgreSQL reads the one part while the next is made."""
IN_MEMORY_BYTES = 32 * 1024 * 1024
MISMATCH = "The content is not what the manifest lists"
"""So begins the reason of a delivery that is refused by its manifest, whatever a reader would make of it."""


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file as it goes to the landing area."""

    delivery_id: str
    name: str
    sha256: str
    size: int
    modified_at: datetime
    source_count: int | None = None
    """Records that the source itself counts, where it can; `extracted_count` is what it gave."""
    extracted_count: int | None = None
    listed_sha256: str | None = None
    """What a manifest says that `sha256` is."""


@dataclass(frozen=True, slots=True)
class LandedCounts:
    found_count: int
    """Files that are there, or pieces in which a system gave its records."""
    delivery_count: int
    """Those of them that brought something new."""
    record_count: int


def land_bytes(
    connection: psycopg.Connection, settings: Settings, source: Source, local: IO[bytes], landed: LandedFile
) -> int:
    """Store a file in the landing area and its records in landing.record; return how many records it has."""
    lock_landed_file(connection, landed.sha256)
    landing_url = _store(settings, local, landed.sha256)
    connection.execute(
        """
        insert into landing.delivery (
            delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at,
            landing_url, declaration_sha256, delivery_state, source_count, extracted_count
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, 'landed', %s, %s)
        """,
        (
            landed.delivery_id,
            source.slug,
            landed.name,
            landed.sha256,
            landed.size,
            landed.modified_at,
            landing_url,
            source.declaration_sha256,
            landed.source_count,
            landed.extracted_count,
        ),
    )
    if landed.listed_sha256 not in (None, landed.sha256):
        reason = f"{MISMATCH}: its SHA-256 is {landed.sha256}, the listed one {landed.listed_sha256}."
        _refuse(connection, landed.delivery_id, source, reason)
        return 0
    return read_delivery(connection, landed.delivery_id, local, source)


def lock_landed_file(connection: psycopg.Connection, file_sha256: str) -> None:
    """Hold a file of the landing area to the end of the transaction: nobody takes it for an orphan meanwhile."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"landed_file:{file_sha256}",)
    )


def try_lock_landed_file(connection: psycopg.Connection, file_sha256: str) -> bool:
    """The same without waiting; False where another transaction holds the file."""
    row = connection.execute(
        "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (f"landed_file:{file_sha256}",)
    ).fetchone()
    return row == (True,)


def read_again(settings: Settings, source: Source, run_id: str) -> int:
    """Read landed files again that were read under another declaration; return how many records they have.

    A declaration that is put right thus reaches what was delivered before, without a new delivery.
    """
    record_count = 0
    with connect(settings, "land_deliveries") as connection:
        stale = connection.execute(
            "select delivery_id, landing_url from landing.delivery "
            "where source_slug = %s and declaration_sha256 <> %s "
            "and not starts_with(coalesce(refusal_reason, ''), %s) order by file_modified_at, delivery_id",
            (source.slug, source.declaration_sha256, MISMATCH),
        ).fetchall()
    for delivery_id, landing_url in stale:
        with (
            connect(settings, "land_deliveries") as connection,
            tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local,
        ):
            with fsspec.open(landing_url, "rb") as landed:
                shutil.copyfileobj(landed, local, COPY_CHUNK_BYTES)
            received_count = read_delivery(connection, delivery_id, local, source)
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


def read_delivery(connection: psycopg.Connection, delivery_id: str, local: IO[bytes], source: Source) -> int:
    """Bring the records of a landed file to landing.record; refuse the delivery where no reader can."""
    local.seek(0)
    try:
        with connection.transaction():
            delivered = read_records(cast(BinaryIO, local), source)
            received_count = _copy_records(connection, delivery_id, delivered)
    except UnreadableFileError as refusal:
        _refuse(connection, delivery_id, source, str(refusal))
        return 0
    connection.execute(
        """
        update landing.delivery
        set encoding = %s, is_declared_encoding = %s, column_names = %s, missing_columns = %s,
            unknown_columns = %s, received_count = %s, delivery_state = 'landed', refusal_reason = null,
            decided_at = null, declaration_sha256 = %s,
            -- What a manifest counts is what a reader finds; an extract may leave out what landed before.
            extracted_count = case when source_count is not null and %s then %s else extracted_count end
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
            source.kind.is_file,
            received_count,
            delivery_id,
        ),
    )
    return received_count


def _refuse(connection: psycopg.Connection, delivery_id: str, source: Source, reason: str) -> None:
    # Of an earlier reading nothing may stand beside a count of zero.
    connection.execute("delete from landing.record where delivery_id = %s", (delivery_id,))
    connection.execute(
        """
        update landing.delivery
        set delivery_state = 'refused', refusal_reason = %s, received_count = 0, decided_at = now(),
            declaration_sha256 = %s
        where delivery_id = %s
        """,
        (reason, source.declaration_sha256, delivery_id),
    )


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
    held = connection.execute(
        "select exists (select from landing.record where delivery_id = %s)", (delivery_id,)
    ).fetchone()
    if held == (False,):
        target = "landing.record (delivery_id, record_number, payload, defects)"
        return _copy(connection, target, delivery_id, delivered)
    connection.execute(
        "create temporary table delivered (delivery_id text, record_number integer, payload json, defects text[]) "
        "on commit drop"
    )
    received_count = _copy(connection, "delivered", delivery_id, delivered)
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


def _copy(connection: psycopg.Connection, target: str, delivery_id: str, delivered: DeliveredFile) -> int:
    """COPY the records as lines of text, many at a time; return how many they were."""
    as_json, delivery = msgspec.json.Encoder().encode, delivery_id.encode()
    count, lines, size = 0, list[bytes](), 0
    with connection.cursor() as cursor, cursor.copy(f"copy {target} from stdin") as copy:
        for record in delivered.records:
            # JSON has no raw tab or line break, and defects are plain words: only backslashes mean something to COPY.
            payload = as_json(record.payload).replace(b"\\", b"\\\\")
            defects = ",".join(record.defects).encode()
            line = b"%b\t%d\t%b\t{%b}\n" % (delivery, record.record_number, payload, defects)
            lines.append(line)
            count += 1
            size += len(line)
            if size > COPIED_AT_ONCE_BYTES:
                copy.write(b"".join(lines))
                lines, size = [], 0
        copy.write(b"".join(lines))
    return count
