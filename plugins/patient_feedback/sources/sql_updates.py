"""What a table's updated column says of time: where the next run begins, and what lies in a window.

Every bound is drawn rather too early than too late: a row that is read again is not landed again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.extraction import Cursor, ExtractionRequest, Window

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection

Position = datetime | date | int
DAY = timedelta(days=1)
CLOCK_GOES_BACK = timedelta(hours=1)
"""In autumn a column without a zone may tell the same hour twice."""
ISO_DAY = "____-__-__%"
COUNTER_STEPS = 1_000
"""A counter's numbers are given before their transactions end: so many behind the newest are read again."""
TICKS_PER_SECOND = ((10**8, 1), (10**11, 10**3), (10**14, 10**6))
"""From which number on a column holds seconds, milliseconds, microseconds since 1970; below it counts."""


class Measure(StrEnum):
    """What the values are."""

    MOMENT = "moment"
    DAY = "day"
    NUMBER = "number"
    TEXT = "text"
    """ISO 8601, of which the day alone is compared: it sorts as text whatever stands behind it."""


@dataclass(frozen=True, slots=True)
class Updates:
    """The updated column of one table."""

    column: Column[Any]
    measure: Measure
    zone: ZoneInfo
    """Of values that bear none."""
    clock: datetime
    """The database's own."""
    newest: int = 0
    """The highest value of a column of numbers."""

    def since(self, cursor: Cursor | None, overlap: timedelta) -> Any | None:
        """Return the value from which to read; None for all."""
        known = self._known(cursor)
        match known:
            case None:
                return None
            case datetime():
                return known - overlap - (timedelta(0) if known.tzinfo else CLOCK_GOES_BACK)
            case date() if self.measure is Measure.TEXT:
                return (known - overlap - 2 * DAY).isoformat()
            case date():
                return known - overlap - DAY
            case _:
                return known - max(COUNTER_STEPS, int(overlap.total_seconds() * _ticks_per_second(known)))

    def within(self, window: Window) -> ColumnElement[bool]:
        """Return the condition of a window; a counter says no time, so that all its rows are in it."""
        from sqlalchemy import and_, true

        begin, end = window
        first, last = (moment.astimezone(self.zone).date() for moment in (begin, end - timedelta.resolution))
        match self.measure:
            case Measure.MOMENT if getattr(self.column.type, "timezone", False):
                return and_(self.column >= begin, self.column < end)
            case Measure.MOMENT:
                return and_(self.column >= self._local(begin), self.column < self._local(end))
            case Measure.DAY:
                return and_(self.column >= first, self.column <= last)
            case Measure.TEXT:
                return and_(
                    self.column >= (first - DAY).isoformat(), self.column < (last + 2 * DAY).isoformat()
                )
            case _:
                ticks = _ticks_per_second(self.newest)
                if not ticks:
                    return true()
                return and_(
                    self.column >= int(begin.timestamp() * ticks), self.column < int(end.timestamp() * ticks)
                )

    def position(self, value: Any) -> Position | None:
        """Return a value of the column in the form that cursors are made of; None where it says no moment."""
        if value is None or (self.measure is not Measure.TEXT and isinstance(value, str)):
            # As text comes what Python cannot hold, such as infinity.
            return None
        match self.measure:
            case Measure.TEXT:
                try:
                    return date.fromisoformat(value[:10])
                except ValueError:
                    raise FeedbackError(_no_iso_text(self.column, 1)) from None
            case Measure.NUMBER:
                return int(value) if math.isfinite(value) else None
            case _:
                return cast(Position, value)

    def cursor(self, newest: Position, before: Cursor | None) -> Cursor:
        """Return where the next run begins: never behind the last cursor, nor ahead of the database's clock."""
        limit = self._limit(newest)
        reached = newest if limit is None else min(cast(Any, newest), cast(Any, limit))
        known = self._known(before)
        if known is not None:
            reached = max(cast(Any, reached), cast(Any, known))
        if isinstance(reached, datetime) and reached.tzinfo:
            reached = reached.astimezone(UTC)
        text = str(reached) if isinstance(reached, int) else reached.isoformat()
        return {"column": self.column.name, "updated": text}

    def _known(self, cursor: Cursor | None) -> Position | None:
        """Return the cursor's position; None where it is of another column or type, so that all is read again."""
        if cursor is None or cursor.get("column") != self.column.name:
            return None
        try:
            match self.measure:
                case Measure.MOMENT:
                    moment = datetime.fromisoformat(cursor["updated"])
                    has_zone = bool(getattr(self.column.type, "timezone", False))
                    return moment if (moment.tzinfo is not None) == has_zone else None
                case Measure.NUMBER:
                    return int(cursor["updated"])
                case _:
                    return date.fromisoformat(cursor["updated"])
        except ValueError:
            return None

    def _limit(self, newest: Position) -> Position | None:
        """Return the database's present in the column's terms; moments with a zone are held back where they are kept."""
        match self.measure:
            case Measure.MOMENT:
                has_zone = isinstance(newest, datetime) and newest.tzinfo is not None
                return None if has_zone else self.clock.replace(tzinfo=None)
            case Measure.NUMBER:
                ticks = _ticks_per_second(cast(int, newest))
                return int(self.clock.timestamp() * ticks) if ticks else None
            case _:
                return self.clock.date()

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None)


def updates_of(connection: Connection, column: Column[Any], request: ExtractionRequest) -> Updates:
    """Return what the column tells of changes; raise FeedbackError where it holds what nobody can order."""
    from sqlalchemy import func, select

    clock: datetime = connection.execute(select(func.current_timestamp())).scalar_one()
    clock = clock if clock.tzinfo else clock.replace(tzinfo=UTC)
    request.clock.tell(clock)
    submitted = request.source.mapping.submitted_on
    measure = _measure(connection, column)
    newest = 0
    if measure is Measure.TEXT:
        is_no_text = column.is_not(None) & column.not_like(ISO_DAY)
        if count := connection.execute(select(func.count()).where(is_no_text)).scalar_one():
            raise FeedbackError(_no_iso_text(column, count))
    elif measure is Measure.NUMBER:
        highest: Any = connection.execute(select(func.max(column))).scalar_one()
        newest = int(highest) if highest is not None and math.isfinite(highest) else 0
    return Updates(
        column,
        measure,
        ZoneInfo(submitted.timezone if submitted else "UTC"),
        clock,
        newest,
    )


def _measure(connection: Connection, column: Column[Any]) -> Measure:
    from sqlalchemy import Date, DateTime, Float, Integer, Numeric, String

    if connection.dialect.name == "sqlite":
        return _stored_measure(connection, column)
    match column.type:
        case DateTime():
            return Measure.MOMENT
        case Date():
            return Measure.DAY
        case Integer() | Numeric() | Float():
            return Measure.NUMBER
        case String():
            return Measure.TEXT
        case _:
            raise FeedbackError(_no_measure(column, f"is of the type {type(column.type).__name__}"))


def _stored_measure(connection: Connection, column: Column[Any]) -> Measure:
    """Return what SQLite's values are: the declared type binds it to nothing."""
    from sqlalchemy import func, select

    kind = func.typeof(column)
    found: Any = connection.execute(
        select(kind, func.count()).where(column.is_not(None)).group_by(kind).order_by(kind)
    )
    counts: dict[str, int] = dict(found.all())
    if set(counts) <= {"text"}:
        return Measure.TEXT
    if set(counts) <= {"integer", "real"}:
        return Measure.NUMBER
    listed = ", ".join(f"{count} of type {name}" for name, count in counts.items())
    raise FeedbackError(_no_measure(column, f"holds values of several types ({listed})"))


def _ticks_per_second(number: int) -> int:
    return max((ticks for least, ticks in TICKS_PER_SECOND if number >= least), default=0)


def _no_measure(column: Column[Any], what: str) -> str:
    return (
        f"The column {column.table.name}.{column.name}, which request.updated_column names, {what}: it must hold moments, "
        "days, whole numbers or ISO 8601 text throughout. Name another column, or a view that converts it."
    )


def _no_iso_text(column: Column[Any], count: int) -> str:
    return (
        f"The column {column.table.name}.{column.name}, which request.updated_column names, holds text that is no "
        f"ISO 8601 such as 2026-03-01T09:00:00 in {count} row(s): as text it does not sort by time. Name another "
        "column, or a view that converts it."
    )
