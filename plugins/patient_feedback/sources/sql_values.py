"""Values of a table as they land: as JSON holds them, and as text what Python cannot hold."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from patient_feedback.sources.delivered_file import LONGEST_REFERENCE_BYTES
from patient_feedback.sources.stored_text import mend_text

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import Buffer

SHOWN_OF_OVERLONG = 40
MOMENT_TYPES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
"""Of PostgreSQL, whose years go beyond 9999, before the first, and to infinity."""


def key_of(value: Any) -> str:
    """Return a key as the mapping reads it; of one that is too long for any, its begin and what tells it apart."""
    plain = plain_value(value)
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    key = mend_text(str(plain), set()).strip()
    if len(key.encode()) <= LONGEST_REFERENCE_BYTES:
        return key
    return f"{key[:SHOWN_OF_OVERLONG]}_{hashlib.sha256(key.encode()).hexdigest()}"


def plain_value(value: Any) -> Any:
    """Return a value as JSON holds it; a moment with a zone in UTC, whatever the zone of the session."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | str() | bool() | int() | float():
            return value
        case datetime() if value.tzinfo:
            return value.astimezone(UTC).isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case list() | tuple():
            return [plain_value(part) for part in value]
        case dict():
            return {str(name): plain_value(part) for name, part in value.items()}
        case _:
            return str(value)


def keep_moments_beyond_python(driver_connection: psycopg.Connection, _: object) -> None:
    """Give a moment that Python cannot hold as PostgreSQL writes it: one mistyped year must not stop a table."""
    import psycopg
    from psycopg import adapt, pq

    def as_text_where_needed(usual: type[adapt.Loader]) -> type[adapt.Loader]:
        class MomentOrText(adapt.Loader):
            def __init__(self, oid: int, connection: Any = None) -> None:
                super().__init__(oid, connection)
                self._usual = usual(oid, connection)

            def load(self, data: Buffer) -> Any:
                try:
                    return self._usual.load(data)
                except (psycopg.DataError, OverflowError):
                    return bytes(data).decode()

        return MomentOrText

    adapters = driver_connection.adapters
    for name in MOMENT_TYPES:
        oid = adapters.types[name].oid
        if usual := adapters.get_loader(oid, pq.Format.TEXT):
            adapters.register_loader(oid, as_text_where_needed(usual))  # type: ignore[arg-type]


def keep_undecodable_bytes(driver_connection: Any, _: object) -> None:
    """Have SQLite give bytes that are no text as lone surrogates, which the landing mends and names."""
    driver_connection.text_factory = lambda stored: stored.decode("utf-8", "surrogateescape")
