"""Where the next run begins, and for what the source was asked to get there.

Where the declaration asks for more than before (a column that was ignored, a variable that nobody mapped), what landed
lacks it: all is read from the start. Until that reading is done, the cursor bears both what it was asked before and what
it is asked now; what landed before is judged by the new declaration only behind it, so that nothing is refused for a
column that is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.orchestration.statements import named_statements
from patient_feedback.settings import Settings
from patient_feedback.sources.asked import asked_of, asks_for_more
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import Cursor, held_back
from patient_feedback.warehouse.connection import connect

STATEMENTS = named_statements(Path(__file__).with_name("landing_extracts.sql"))
ASKED_KEY = "asked"
"""Beside the cursor: what the source was asked for when all behind the cursor was read."""
ASKED_ANEW_KEY = "asked_anew"
"""Beside that: what it is asked for in a reading from the start that is not done yet."""


@dataclass(frozen=True, slots=True)
class KeptCursor:
    """The cursor of one source under its present declaration."""

    position: Cursor | None
    """What its kind goes on from; None to read from the start."""
    asked: str
    asked_before: str | None = None
    """Where it differs in that less was asked for; then all is being read anew."""

    @property
    def is_read_anew(self) -> bool:
        return self.asked_before is not None

    def kept(self, position: Cursor, *, is_done: bool) -> Cursor:
        """Return the position as it is kept; `is_done` where nothing is left to read anew."""
        if self.asked_before is None or is_done:
            return {**position, ASKED_KEY: self.asked}
        return {**position, ASKED_KEY: self.asked_before, ASKED_ANEW_KEY: self.asked}


def read_cursor(connection: psycopg.Connection, source: Source) -> KeptCursor:
    """Return the cursor, held back to when it was kept."""
    row = connection.execute(
        "select position, moved_at from landing.source_cursor where source_slug = %s", (source.slug,)
    ).fetchone()
    position = held_back(*row) if row else {}
    asked, before = asked_of(source), position.pop(ASKED_KEY, None)
    anew = position.pop(ASKED_ANEW_KEY, None)
    # A cursor from before this was kept says nothing of it, and is gone on from.
    if before is None or not asks_for_more(asked, before):
        return KeptCursor(position or None, asked)
    return KeptCursor((position or None) if anew == asked else None, asked, before)


def move_cursor(
    connection: psycopg.Connection, source: Source, kept: KeptCursor, position: Cursor, run_id: str
) -> None:
    _write(connection, source, kept.kept(position, is_done=False), run_id)


def conclude_reading(
    settings: Settings, source: Source, kept: KeptCursor, position: Cursor, run_id: str
) -> None:
    """Note that all was read anew."""
    if kept.is_read_anew:
        with connect(settings, "land_deliveries") as connection:
            _write(connection, source, kept.kept(position, is_done=True), run_id)


def _write(connection: psycopg.Connection, source: Source, position: Cursor, run_id: str) -> None:
    connection.execute(
        STATEMENTS["move_cursor"],
        {"source_slug": source.slug, "position": Jsonb(position), "run_id": run_id},
    )
