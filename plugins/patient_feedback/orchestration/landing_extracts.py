"""Land what a system has new: only changed records, with the cursor in the transaction of the data."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

import psycopg

from patient_feedback.contract import stable_id
from patient_feedback.orchestration.landing_area import (
    IN_MEMORY_BYTES,
    LandedCounts,
    LandedFile,
    land_bytes,
)
from patient_feedback.orchestration.landing_cursor import conclude_reading, move_cursor, read_cursor
from patient_feedback.orchestration.statements import named_statements
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import (
    Cursor,
    Extract,
    ExtractionRequest,
    RawRecord,
    SourceConnection,
    Window,
    held_back,
    kind_module,
    without_identifiers,
)
from patient_feedback.sources.field_mapping import FieldMapping
from patient_feedback.sources.landed_extract import content_sha256, write_head, write_record
from patient_feedback.sources.stored_text import mend_text
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

STATEMENTS = named_statements(Path(__file__).with_name("landing_extracts.sql"))
BATCH_SIZE = 1_000
LISTING_MARK = "."
"""In what is kept of a record's version, before what tells its listing."""


@dataclass(slots=True)
class _Counts:
    new: int = 0
    extracted: int = 0
    """Records that the source showed, those that were known included, withdrawals that it does not show left out."""


def land_extracts(
    settings: Settings,
    source: Source,
    run_id: str,
    window: Window | None,
    source_connection: SourceConnection,
) -> LandedCounts:
    """Land the pieces that the source gives, each with its cursor in one transaction.

    A record is landed where its content differs from what was landed of it last, so windows may overlap. Where
    the source breaks off, what came before stays, and the next run goes on from its cursor.
    """
    found_count = delivery_count = record_count = 0
    # Held until all is landed: two runs would read from the same cursor.
    with connect(settings, "land_deliveries") as alone:
        alone.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"landing:{source.slug}",))
        kept = read_cursor(alone, source)
        request = ExtractionRequest(
            source,
            source_connection,
            _moment_of_extraction(alone, source),
            kept.position,
            window,
            partial(_held_keys, alone, source),
            partial(_held_listings, alone, source),
        )
        reached: Cursor | None = None
        for extract in kind_module(source.kind).extract(request):
            if extract.is_note:
                assert extract.cursor is not None
                with connect(settings, "land_deliveries") as connection:
                    move_cursor(connection, source, kept, held_back(extract.cursor, request.present), run_id)
                continue
            later: list[RawRecord] = []
            piece: Extract | None = extract
            while piece is not None:
                found_count += 1
                with connect(settings, "land_deliveries") as connection:
                    landed = _land_extract(connection, settings, request, piece, later, run_id, found_count)
                    if not later and extract.cursor is not None:
                        reached = held_back(extract.cursor, request.present)
                        move_cursor(connection, source, kept, reached, run_id)
                if landed is not None:
                    delivery_count += 1
                    record_count += landed
                piece = Extract(iter(later)) if later else None
                later = []
        if reached is not None:
            conclude_reading(settings, source, kept, reached, run_id)
    return LandedCounts(found_count, delivery_count, record_count)


def _land_extract(
    connection: psycopg.Connection,
    settings: Settings,
    request: ExtractionRequest,
    extract: Extract,
    later: list[RawRecord],
    run_id: str,
    number: int,
) -> int | None:
    """Land one piece; return its number of records, or None where it holds nothing new.

    A second version of a record goes to `later`, for a delivery of its own: two versions side by side would contradict
    each other, and the older one would stand.
    """
    source, counts = request.source, _Counts()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local:
        write_head(local, source, request.now, request.window)
        for record, known in _changed(connection, source, extract.records, counts, later):
            write_record(local, record, known)
            counts.new += 1
        is_count_off = extract.source_count is not None and extract.source_count != counts.extracted
        if counts.new == 0 and not is_count_off:
            return None
        sha256, size = _sha256(local)
        delivery_id = stable_id(source.slug, sha256)
        received_count = land_bytes(
            connection,
            settings,
            source,
            local,
            LandedFile(
                delivery_id,
                f"{source.slug}_{request.now:%Y%m%dT%H%M%S%fZ}_{number:04}.jsonl",
                sha256,
                size,
                request.now,
                extract.source_count,
                None if extract.source_count is None else counts.extracted,
            ),
        )
    add_ledger_entry(
        connection,
        "delivery_landed",
        delivery_id,
        run_id,
        received_count,
        {"source_slug": source.slug, "known_count": counts.extracted - received_count},
    )
    return received_count


def _changed(
    connection: psycopg.Connection,
    source: Source,
    records: Iterator[RawRecord],
    counts: _Counts,
    later: list[RawRecord],
) -> Iterator[tuple[RawRecord, Mapping[str, Any] | None]]:
    """Yield the records whose content is new, and of a withdrawn one that is not shown what is known of it."""
    identifiers = kind_module(source.kind).IDENTIFIERS
    seen: dict[str, str] = {}
    while batch := list(islice(records, BATCH_SIZE)):
        cleaned = [
            replace(
                one,
                key=mend_text(one.key, set()),
                content=without_identifiers(one.content, identifiers),
            )
            for one in batch
        ]
        known: dict[str, str] = dict(
            connection.execute(
                STATEMENTS["known_versions"],
                {"source_slug": source.slug, "keys": [one.key for one in cleaned]},
            ).fetchall()
        )
        changed: dict[str, RawRecord] = {}
        versions: dict[str, tuple[str, bool]] = {}
        for record in cleaned:
            counts.extracted += bool(record.content)
            sha256 = content_sha256(record)
            if record.key in seen:
                if seen[record.key] != sha256:
                    later.append(record)
                continue
            seen[record.key] = sha256
            version = f"{sha256}{LISTING_MARK}{record.listing}" if record.listing else sha256
            before = known.get(record.key, "")
            if before != version:
                versions[record.key] = version, record.is_withdrawn
            if before.partition(LISTING_MARK)[0] != sha256:
                changed[record.key] = record
        with connection.cursor() as cursor:
            cursor.executemany(
                STATEMENTS["note_versions"],
                [
                    {
                        "source_slug": source.slug,
                        "key": key,
                        "sha256": version,
                        "is_withdrawn": is_withdrawn,
                    }
                    for key, (version, is_withdrawn) in versions.items()
                ],
            )
        hidden = [key for key, record in changed.items() if not record.content]
        known_payloads = _known_payloads(connection, source, hidden) if hidden else {}
        for key, record in changed.items():
            yield record, known_payloads.get(key)


def _known_payloads(
    connection: psycopg.Connection, source: Source, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return what tells each withdrawn record's response, period and place; none of its words and answers."""
    column = source.mapping.record_ref.column
    payloads: dict[str, dict[str, Any]] = {key: {} for key in keys}
    for name in ("accepted_payloads", "waiting_payloads"):
        # The landed records of a source are read through for those alone that were never accepted.
        if not (wanted := [key for key, payload in payloads.items() if not payload]):
            break
        payloads |= connection.execute(
            STATEMENTS[name], {"source_slug": source.slug, "keys": wanted, "key_column": column}
        ).fetchall()
    columns = _columns_of_the_response(source.mapping)
    return {
        key: {**{name: value for name, value in payload.items() if name in columns}, column: key}
        for key, payload in payloads.items()
    }


def _columns_of_the_response(mapping: FieldMapping) -> set[str]:
    fields = (
        mapping.response_ref,
        mapping.submitted_on,
        mapping.organisation,
        mapping.site,
        mapping.service,
        mapping.channel,
    )
    return {field.column for field in fields if field is not None and field.column is not None}


def _moment_of_extraction(connection: psycopg.Connection, source: Source) -> datetime:
    """Return a moment after that of every delivery of the source, by one clock: the order of deliveries decides."""
    row = connection.execute(
        """
        select greatest(clock_timestamp(), max(file_modified_at) + interval '1 microsecond')
        from landing.delivery
        where source_slug = %s
        """,
        (source.slug,),
    ).fetchone()
    assert row is not None
    moment: datetime = row[0].astimezone(UTC)
    return moment


def _held_keys(connection: psycopg.Connection, source: Source) -> frozenset[str]:
    rows = connection.execute(STATEMENTS["held_keys"], {"source_slug": source.slug})
    return frozenset(key for (key,) in rows)


def _held_listings(connection: psycopg.Connection, source: Source) -> dict[str, str]:
    rows = connection.execute(STATEMENTS["held_versions"], {"source_slug": source.slug})
    return {key: version.partition(LISTING_MARK)[2] for key, version in rows}


def _sha256(local: IO[bytes]) -> tuple[str, int]:
    local.seek(0)
    digest = hashlib.file_digest(local, "sha256")  # type: ignore[arg-type]
    return digest.hexdigest(), local.tell()
