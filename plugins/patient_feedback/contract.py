"""The feedback contract: the frozen records that every source is turned into.

One response (a survey return, review, complaint, message) has zero or more answers to closed
questions and zero or more comments. Ids derive from the source's own references, so that the
same input gives the same ids in every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

ID_HEX_DIGITS = 32
"""Length of an id: 128 bits of SHA-256, enough for any number of records a source can send."""


class AnswerState(StrEnum):
    ANSWERED = "answered"
    NOT_APPLICABLE = "not_applicable"
    MISSING = "missing"


class QuestionIntent(StrEnum):
    WHAT_WAS_GOOD = "what_was_good"
    WHAT_TO_IMPROVE = "what_to_improve"
    OPEN = "open"


class SentimentLabel(StrEnum):
    VERY_NEGATIVE = "very_negative"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    VERY_POSITIVE = "very_positive"


class DateBasis(StrEnum):
    """How the date of a response was read; anything but `declared` is said in the row."""

    DECLARED = "declared"
    ALTERNATIVE_FORMAT = "alternative_format"
    CONFLICT_RULE = "conflict_rule"
    UNREADABLE = "unreadable"


def stable_id(*parts: str) -> str:
    """Return the id of the entity that `parts` name, in order (hex, `ID_HEX_DIGITS` digits)."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:ID_HEX_DIGITS]


@dataclass(frozen=True, slots=True)
class Response:
    response_id: str
    source_slug: str
    source_record_ref: str
    respondent_id: str | None = None
    organisation_slug: str | None = None
    organisation_name: str | None = None
    site_slug: str | None = None
    site_name: str | None = None
    service_slug: str | None = None
    service_name: str | None = None
    channel_slug: str | None = None
    submitted_on: date | None = None
    submitted_at: datetime | None = None
    submitted_on_basis: DateBasis = DateBasis.DECLARED
    submitted_on_note: str | None = None
    is_withdrawn: bool = False
    language_code: str | None = None
    age_band: str | None = None
    sex: str | None = None
    ethnic_group: str | None = None
    deprivation_quintile: int | None = None
    preferred_language: str | None = None
    has_disability: bool | None = None
    source_metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    response_id: str
    instrument_slug: str
    instrument_version: str
    item_slug: str
    value_number: float | None
    value_code: str | None
    answer_state: AnswerState
    is_documented: bool = True
    """False where the delivered value is none that the declaration documents."""


@dataclass(frozen=True, slots=True)
class Comment:
    comment_id: str
    response_id: str
    source_record_ref: str
    question_slug: str
    question_intent: QuestionIntent
    comment_text: str
    is_blank: bool
