"""Reads transcripts of calls and telehealth sessions: JSON Lines with turns, of which only the patient's are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from patient_feedback.sources.columns import is_marked_withdrawn
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import LINE_KEY, Defect, DeliveredFile, DeliveredRecord
from patient_feedback.sources.moments import moment_text
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import DecodedText, mend_text

TEXT_COLUMNS = ("call_id", "status", "channel", "service")
MOMENT_COLUMNS = ("started_at", "ended_at")
TURN_COLUMNS = ("turn_count", "patient_turn_count", "patient_turns")
KNOWN_KEYS = frozenset((*TEXT_COLUMNS, *MOMENT_COLUMNS, "turns"))
KNOWN_TURN_KEYS = frozenset(("role", "text", "speaker", "at"))
OTHER_ROLES = frozenset(
    ("adviser", "advisor", "agent", "assistant", "bot", "clinician", "doctor", "interpreter", "ivr", "nurse",
     "operator", "receptionist", "staff", "supervisor", "system", "therapist")
)  # fmt: skip
"""Roles of those who are no patients, as most exports name them."""
MOST_ROLES, MOST_KEYS = 10, 50
"""So many are named. Where there are more roles they may be names of persons, and only their number is told."""
_ROLE_NAME, _LONGEST_KEY = re.compile(r"[\w /-]{1,30}"), 60


def read_records(stream: BinaryIO, source: Source) -> DeliveredFile:
    """Return one record for each call, read as a stream in constant memory.

    Nothing but the columns above goes into a record: no other speaker's words, no name, no number. A line that is no
    transcript, or of which nobody can tell what the patient said, is kept as its length alone, since it may hold all of
    these. `column_names` also has the keys and roles that are not known. Raises UnreadableFileError for an empty file.
    """
    file = DeliveredFile(records=iter(()))
    file.records = _records(file, DecodedText(stream, source.format.encodings, newline="\n"), source)
    return file


def _records(file: DeliveredFile, text: DecodedText, source: Source) -> Iterator[DeliveredRecord]:
    roles = _Roles(source)
    strange = _Strange(roles)
    names: dict[str, None] = {}
    number = 0
    for line in text.lines():
        if not line.strip():
            continue
        number += 1
        defects: set[str] = set()
        payload: dict[str, Any] = {}
        call = _call(line)
        if call is not None:
            columns = _columns(call)
            if is_marked_withdrawn(columns, source) or _is_understood(call, roles):
                columns |= _turn_columns(call, roles)
                payload = {
                    name: text.mend(value, defects)
                    for name, value in columns.items()
                    if not source.ignores(name)
                }
            names |= dict.fromkeys(name for name in columns if not source.ignores(name))
            strange.see(call)
        if not payload:
            payload = {LINE_KEY: f"({len(line.strip())} characters that are no transcript)"}
            defects.add(Defect.UNREADABLE_LINE)
        file.column_names = (*names, *strange.names)
        file.encoding, file.is_declared_encoding = text.encoding, text.is_declared_encoding
        yield DeliveredRecord(number, payload, tuple(sorted(defects)))


@dataclass(slots=True)
class _Roles:
    """Who is a patient, and who is known to be none."""

    source: Source
    patients: frozenset[str] = field(init=False)
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.patients = frozenset(map(loose_key, self.source.format.patient_roles))
        self.known = self.patients | OTHER_ROLES | {""}

    def is_patient(self, turn: Any) -> bool:
        return _role(turn) in self.patients

    def is_unknown(self, turn: Any) -> bool:
        role = _role(turn)
        return role not in self.known and not self.source.ignores(_named(role))


@dataclass(slots=True)
class _Strange:
    """Names of what calls bear and this module does not know."""

    roles: _Roles
    keys: dict[str, None] = field(default_factory=dict)
    unknown_roles: dict[str, None] = field(default_factory=dict)

    def see(self, call: Mapping[str, Any]) -> None:
        turns = [turn for turn in call.get("turns") or [] if isinstance(turn, dict)]
        found = [key for key in call if key not in KNOWN_KEYS]
        found += [f"turns.{key}" for turn in turns for key in turn if key not in KNOWN_TURN_KEYS]
        for key in found:
            if len(self.keys) < MOST_KEYS:
                self.keys[mend_text(key[:_LONGEST_KEY], set())] = None
        for turn in turns:
            if len(self.unknown_roles) <= MOST_ROLES and self.roles.is_unknown(turn):
                self.unknown_roles[_role(turn)] = None

    @property
    def names(self) -> tuple[str, ...]:
        if len(self.unknown_roles) > MOST_ROLES:
            return (*self.keys, f"turns.role=(more than {MOST_ROLES})")
        return (*self.keys, *dict.fromkeys(map(_named, self.unknown_roles)))


def _call(line: str) -> Mapping[str, Any] | None:
    try:
        call = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_call = isinstance(call, dict) and isinstance(call.get("turns", []), list | None)
    return call if is_call else None


def _is_understood(call: Mapping[str, Any], roles: _Roles) -> bool:
    """Tell whether it can be told what the patient said: else words that are held would be overwritten by none."""
    turns = call.get("turns") or []
    if "turns" not in call or (turns and not any(map(_role, turns))):
        return False
    if not all(
        _has_text(turn) if roles.is_patient(turn) else _role(turn) or not _words(turn) for turn in turns
    ):
        return False
    return any(map(roles.is_patient, turns)) or not any(map(roles.is_unknown, turns))


def _role(turn: Any) -> str:
    """Return the role as it is compared; empty where the turn tells none."""
    role = turn.get("role") if isinstance(turn, dict) else None
    return loose_key(role) if isinstance(role, str) else ""


def _named(role: str) -> str:
    return f"turns.role={role if _ROLE_NAME.fullmatch(role) else '(no name of a role)'}"


def _has_text(turn: Mapping[str, Any]) -> bool:
    return "text" in turn and isinstance(turn["text"], str | None)


def _words(turn: Any) -> Any:
    """Return what a turn seems to say, whatever it is."""
    return turn.get("text") if isinstance(turn, dict) else isinstance(turn, str | list) and turn


def _columns(call: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: _plain(call[name]) for name in TEXT_COLUMNS if name in call}
    return columns | {
        name: moment_text(call[name]) or _plain(call[name]) for name in MOMENT_COLUMNS if name in call
    }


def _turn_columns(call: Mapping[str, Any], roles: _Roles) -> dict[str, Any]:
    turns = call.get("turns") or []
    said = [turn for turn in turns if roles.is_patient(turn)]
    texts = [turn["text"] for turn in said if isinstance(turn.get("text"), str) and turn["text"].strip()]
    return dict(zip(TURN_COLUMNS, (len(turns), len(said), "\n".join(texts)), strict=True))


def _plain(value: Any) -> str | None:
    """Return a text or number as text; what is nested is no field of a transcript, and may hold a person's name."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)
