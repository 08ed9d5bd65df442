"""The feedback contract: the frozen records that every source is turned into.

One response (a survey return, review, complaint, message) has zero or more answers to closed
questions and zero or more comments; `sources.mapping.MappedRecord` carries what one
record says of them. Beside responses stand figures: numbers that somebody published, such as the share of a
hospital's patients who would recommend it. Ids derive from the source's own references, so that the
same input gives the same ids in every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

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


class FigureUnit(StrEnum):
    PERCENT = "percent"
    """0 to 100."""
    COUNT = "count"
    SCORE = "score"
    STARS = "stars"


class FigureState(StrEnum):
    """Whether there is a number, and if not, why: none of these is a zero."""

    PUBLISHED = "published"
    SUPPRESSED = "suppressed"
    """Withheld by the publisher, so that nobody is recognised."""
    NOT_APPLICABLE = "not_applicable"
    NOT_AVAILABLE = "not_available"


def stable_id(*parts: str) -> str:
    """Return the id of the entity that `parts` name, in order (hex, `ID_HEX_DIGITS` digits)."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:ID_HEX_DIGITS]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a closed question of a response."""

    instrument_slug: str
    instrument_version: str
    item_slug: str
    value_number: float | None
    value_code: str | None
    answer_state: AnswerState
    is_documented: bool
    """False where the delivered value is none that the declaration documents."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number about an organisation and a period."""

    measure_slug: str
    value_number: float | None
    unit: FigureUnit | None
    figure_state: FigureState
    is_documented: bool
    """False where the delivered value is neither a number nor a declared text, or the measure has no name."""
    respondent_count: int | None = None
    respondent_band: str | None = None
    """What was delivered in place of the number of respondents, such as FEWER THAN 50."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a response, in the words that were delivered."""

    comment_id: str | None
    question_slug: str
    question_intent: QuestionIntent
    is_question_declared: bool
    comment_text: str
    is_blank: bool
    has_control_character: bool
    has_markup: bool
    has_formula_start: bool
