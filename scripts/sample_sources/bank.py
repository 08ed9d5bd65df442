"""The hand-written comments, with the hints that place them; the hints never reach a source file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

FIRST_DAY = date(2024, 10, 1)
LAST_DAY = date(2026, 9, 30)
HINTS = (
    "topic", "sentiment", "question", "services", "period", "speaker", "identifiers", "subjects", "severity",
    "status",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One comment of the bank. `since` and `until` bound the day it may have been written."""

    text: str
    topic: str | None = None
    sentiment: str = "negative"
    question: str = "improve"
    services: tuple[str, ...] = ()
    since: date = FIRST_DAY
    until: date = LAST_DAY
    has_period: bool = False
    speaker: Mapping[str, str] = field(default_factory=dict)
    identifiers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    severity: str | None = None
    status: str | None = None

    @property
    def has_own_voice(self) -> bool:
        """True where the words tell who speaks, so that another's words beside them would ring false."""
        return bool(self.speaker) or self.topic in {"interpreters", "tolk", "accessibility"}


@dataclass(frozen=True)
class Bank:
    """The entries by source, in file order; `repeated` holds the texts that may recur."""

    fft: tuple[Entry, ...]
    survey_sv: tuple[Entry, ...]
    survey_en: tuple[Entry, ...]
    complaints: tuple[Entry, ...]
    repeated: Mapping[str, Sequence[str]]

    def entries(self) -> tuple[Entry, ...]:
        return self.fft + self.survey_sv + self.survey_en + self.complaints


def load_bank(folder: Path) -> Bank:
    """Return the comments of all files of `folder`; a file's name begins with its source."""

    def entries(prefix: str) -> tuple[Entry, ...]:
        return tuple(entry for path in sorted(folder.glob(f"{prefix}*.yml")) for entry in _entries(path))

    repeated = yaml.safe_load((folder / "repeated.yml").read_text(encoding="utf-8"))
    return Bank(entries("fft_"), entries("survey_sv"), entries("survey_en"), entries("complaints_"), repeated)


def _entries(path: Path) -> list[Entry]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = []
    for group in groups:
        for comment in group["comments"]:
            own = {"text": comment} if isinstance(comment, str) else comment
            hints = {name: group[name] for name in HINTS if name in group} | own
            unknown = set(hints) - {"text", *HINTS}
            if unknown or not isinstance(hints.get("text"), str):
                raise ValueError(f"{path.name}: {own!r} needs a text, and knows no {sorted(unknown)}")
            found.append(_entry(hints))
    return found


def _entry(hints: Mapping[str, Any]) -> Entry:
    period = hints.get("period", {})
    return Entry(
        text=hints["text"],
        topic=hints.get("topic"),
        sentiment=hints.get("sentiment", "negative"),
        question=hints.get("question", "improve"),
        services=tuple(hints.get("services", ())),
        since=_month(period["from"]) if "from" in period else FIRST_DAY,
        until=_last_day(_month(period["until"])) if "until" in period else LAST_DAY,
        has_period=bool(period),
        speaker=hints.get("speaker", {}),
        identifiers=hints.get("identifiers", {}),
        subjects=tuple(hints.get("subjects", ())),
        severity=hints.get("severity"),
        status=hints.get("status"),
    )


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _last_day(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
