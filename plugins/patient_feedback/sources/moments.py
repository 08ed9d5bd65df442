"""Moments as systems write them, in one form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def utc_text(given: Any) -> str | None:
    """Return a moment with its zone as ISO 8601 in UTC to the microsecond; a text without zone counts as UTC.

    None where the text is no moment, or a day or month without a time.
    """
    if not isinstance(given, str) or "T" not in given.strip().replace(" ", "T", 1):
        return None
    try:
        moment = datetime.fromisoformat(given.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds")


def not_after(text: str, latest: datetime) -> str:
    """Return the text, or `latest` where it is a later moment; what is no moment with a zone stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None or moment <= latest:
        return text
    return latest.astimezone(UTC).isoformat()


def moment_text(given: Any) -> str | None:
    """The same, but a text without zone stays without one: the declaration says in which it is."""
    text = utc_text(given)
    if text is None or datetime.fromisoformat(given.strip()).tzinfo is not None:
        return text
    return text.removesuffix("+00:00")
