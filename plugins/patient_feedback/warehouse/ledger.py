"""Entries of the ledger: what changed the warehouse, in the order of the commits."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg.types.json import Jsonb

PIPELINE_ACTOR = "pipeline"


def add_ledger_entry(
    connection: psycopg.Connection,
    action: str,
    subject: str,
    run_id: str,
    row_count: int | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Insert an entry; make it the last statement of its transaction, since it holds the ledger's lock.

    `details` holds counts, versions and names, never a delivered value.
    """
    connection.execute(
        """
        insert into audit.ledger (action, subject, actor, run_id, row_count, details)
        values (%s, %s, %s, %s, %s, %s)
        """,
        (action, subject, PIPELINE_ACTOR, run_id, row_count, Jsonb(dict(details or {}))),
    )


def last_ledger_id(connection: psycopg.Connection) -> int:
    """Return the number of the newest committed entry, 0 where there is none."""
    row = connection.execute("select coalesce(max(ledger_id), 0) from audit.ledger").fetchone()
    assert row is not None
    return int(row[0])
