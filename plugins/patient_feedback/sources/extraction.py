"""What a kind of source does that is asked for its records: a request in, raw records and a new cursor out.

A kind is a module of this package that bears the kind's name and has what `SourceKindModule` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from importlib import import_module
from typing import Any, Protocol, cast

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.declaration import Source, SourceKind
from patient_feedback.sources.moments import not_after
from patient_feedback.sources.shape import Shape
from patient_feedback.sources.stored_text import mend_text

Cursor = dict[str, str]
"""Where the next run begins, in the source's own terms; kept as JSON."""
Window = tuple[datetime, datetime]
"""From (included) to (excluded), UTC."""

FEW_VANISHED = 20
"""So many records may be gone at once whatever their share."""
WAITING_SHARE = 0.75
"""Of the time that a task may take, so much may go into waiting for a source; the rest is for reading and landing."""
PEM_MARK = "-----BEGIN "
WITHDRAWN_KEY = "__withdrawn__"
"""Payload key that marks a record which the source took back without saying anything else of it."""


@dataclass(frozen=True, slots=True)
class SourceConnection:
    """How to reach a system; its secrets never show in a representation."""

    name: str
    url: str = ""
    """Scheme, host, port and base path; for SQL the SQLAlchemy URL without a password."""
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def secret(self) -> str:
        """Return the key or token without white space around it; raise FeedbackError that says how to give it."""
        secret = self.password.strip()
        if not secret:
            raise FeedbackError(
                f"The Airflow connection '{self.name}' has no password: put the system's key or token there."
            )
        # Of keys that are sent only a PEM has lines.
        signs = secret.replace("\r", "").replace("\n", "") if secret.startswith(PEM_MARK) else secret
        if not (signs.isascii() and signs.isprintable()):
            raise FeedbackError(
                f"The password of the Airflow connection '{self.name}' is no key or token: it holds a line break or a sign "
                "that none has, such as a letter with an accent. Copy it again from the system, as plain text."
            )
        return secret


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as the source gave it, less what identifies a person directly."""

    key: str
    """The source's own id of the record."""
    content: Mapping[str, Any]
    is_withdrawn: bool = False
    """The source says that the record is gone; `content` may then be empty."""
    listing: str = ""
    """Tells apart what the source's list shows of the record, where asking for all of it costs requests of its own."""


@dataclass(slots=True)
class Extract:
    """What lands together: one delivery, and the cursor behind it.

    `records` is read once. The other fields hold when it is exhausted.
    """

    records: Iterator[RawRecord]
    cursor: Cursor | None = None
    """Where the next run begins; None leaves the cursor where it is. It is held back to the present when it is kept."""
    source_count: int | None = None
    """How many records the source itself says that `records` should hold; None where it cannot count."""
    is_note: bool = False
    """True where there is nothing to land: the cursor alone is kept, such as what the source was asked to prepare."""


@dataclass(slots=True)
class SourceClock:
    """What time it is where the source is, as far as it says so."""

    earliest: datetime | None = None

    def tell(self, moment: datetime) -> None:
        """Note a moment that the source called its present."""
        self.earliest = moment if self.earliest is None else min(self.earliest, moment)


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """What is wanted of a source."""

    source: Source
    connection: SourceConnection
    now: datetime
    cursor: Cursor | None = None
    """None at the first load."""
    window: Window | None = None
    """A backfill's interval: what was changed in it is wanted, whatever the cursor says."""
    held_keys: Callable[[], frozenset[str]] = frozenset
    """Ids of the records that the warehouse holds and that are not withdrawn; for sources that say no deletion."""
    held_listings: Callable[[], Mapping[str, str]] = dict
    """The same ids, each with the `listing` that was landed last; empty where none was."""
    clock: SourceClock = field(default_factory=SourceClock)

    @property
    def present(self) -> datetime:
        """The earlier of the two clocks': what is changed from now on may bear a moment of either."""
        return min(self.now, self.clock.earliest or self.now)


def held_back(cursor: Cursor, present: datetime) -> Cursor:
    """Return the cursor with no moment after the present: a stamp from the future would hide what comes until then."""
    return {name: not_after(value, present) for name, value in cursor.items()}


def longest_wait_seconds(source: Source) -> float:
    """Return how long a run may wait for a source to prepare something: it must end before Airflow ends the task."""
    return WAITING_SHARE * source.deadline_minutes * 60


class Landed(Enum):
    """What of a record lands, beside what identifies a person."""

    WHOLE = auto()
    """All of it, whatever the declaration says."""
    LESS_IGNORED = auto()
    """All but `ignore_columns`."""
    AS_DECLARED = auto()
    """What the mapping names decides, too."""


class SourceKindModule(Protocol):
    """The interface of a kind."""

    IDENTIFIERS: tuple[str, ...]
    """Dotted paths of what identifies a person directly; removed before anything is stored. A path goes
    through lists."""

    SHAPE: Shape | None
    """The keys of what is landed, so that a change of them is seen; None where they are columns, which show themselves."""

    LANDED: Landed
    """What of a record lands: where the declaration asks for more of it, all is read from the start."""

    def extract(self, request: ExtractionRequest) -> Iterator[Extract]:
        """Yield what is new or changed since the cursor, or in the window, in pieces that can be landed alone.

        Raises PlaceUnavailableError where the source is away for the moment, FeedbackError where a person
        has to act. What was yielded before stays landed.
        """
        ...

    def payload(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a raw record as flat columns that the mapping reads: pure, and total on whatever was landed."""
        ...


def kind_module(kind: SourceKind) -> SourceKindModule:
    """Return the module of a kind that is asked over a connection."""
    return cast(SourceKindModule, import_module(f"patient_feedback.sources.{kind}"))


def vanished(request: ExtractionRequest, held: frozenset[str], shown: Set[str]) -> Iterator[RawRecord]:
    """Yield a withdrawal for each held record that the source no longer shows.

    Raises FeedbackError where they are so many that a mistake of the source is likelier.
    """
    # Held ones bear their keys as the warehouse can store them.
    gone = sorted(held - {mend_text(key, set()) for key in shown})
    allowed = request.source.request.largest_vanished_share
    if len(gone) > FEW_VANISHED and len(gone) > allowed * len(held):
        raise FeedbackError(
            f"The source '{request.source.slug}' no longer shows {len(gone)} of the {len(held)} records that are held. "
            "Nothing was withdrawn. If they are gone indeed, set request.largest_vanished_share to 1 for one run."
        )
    for key in gone:
        yield RawRecord(key, {}, is_withdrawn=True)


def without_identifiers(content: Mapping[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the content without the values at these paths."""
    kept = dict(content)
    for path in paths:
        _remove(kept, path.split("."))
    return kept


def _remove(content: dict[str, Any], path: list[str]) -> None:
    first, *rest = path
    if not rest:
        content.pop(first, None)
        return
    below = content.get(first)
    if isinstance(below, Mapping):
        content[first] = copied = dict(below)
        _remove(copied, rest)
    elif isinstance(below, list):
        content[first] = [dict(part) if isinstance(part, Mapping) else part for part in below]
        for part in content[first]:
            if isinstance(part, dict):
                _remove(part, rest)
