"""Extract and land: what a source has new becomes deliveries, and the deliveries wait for the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import psycopg

from patient_feedback.orchestration.landing_area import read_again
from patient_feedback.orchestration.landing_cursor import read_cursor
from patient_feedback.orchestration.landing_extracts import land_extracts
from patient_feedback.orchestration.landing_files import land_files
from patient_feedback.orchestration.source_connections import airflow_connection
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import SourceConnection, Window
from patient_feedback.warehouse.connection import connect


@dataclass(frozen=True, slots=True)
class LandedSource:
    """The deliveries to decide on, and what was found to get there."""

    delivery_ids: list[str]
    file_count: int
    new_file_count: int
    record_count: int


def land_source(
    settings: Settings,
    source: Source,
    run_id: str,
    window: Window | None = None,
    connection_of: Callable[[Source], SourceConnection] = airflow_connection,
) -> LandedSource:
    """Land every file of a source that is not landed yet, or what a system has new since the last time.

    Returns the deliveries that no gate has decided on; with `window` also those decided ones whose file
    was written, or whose feedback was given, in [start, end).
    """
    if source.kind.is_file:
        place_connection = connection_of(source) if source.connection else None
        landed = land_files(settings, source, run_id, window, place_connection)
    else:
        landed = land_extracts(settings, source, run_id, window, connection_of(source))
    record_count = landed.record_count
    if not source.kind.is_file and _is_read_anew(settings, source):
        # What landed before lacks what is asked for now: it stands as it is until all is read from the start.
        window = None
    else:
        record_count += read_again(settings, source, run_id)
    with connect(settings, "land_deliveries") as connection:
        delivery_ids = _deliveries_to_decide(connection, source, window)
    return LandedSource(delivery_ids, landed.found_count, landed.delivery_count, record_count)


def _is_read_anew(settings: Settings, source: Source) -> bool:
    with connect(settings, "land_deliveries") as connection:
        return read_cursor(connection, source).is_read_anew


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
