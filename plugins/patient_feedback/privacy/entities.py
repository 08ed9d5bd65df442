"""The kinds of identifiers that are redacted, and what finding one means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex

from patient_feedback.errors import FeedbackError

RULE_SECONDS = 20
"""A rule that needs longer on one text stops the run: skipping it would let identifiers through."""


class Entity(StrEnum):
    PERSON = "PERSON"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    ADDRESS = "ADDRESS"
    POSTCODE = "POSTCODE"
    NHS_NUMBER = "NHS_NUMBER"
    SWEDISH_PERSONAL_NUMBER = "SWEDISH_PERSONAL_NUMBER"
    RECORD_NUMBER = "RECORD_NUMBER"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    URL = "URL"
    IP_ADDRESS = "IP_ADDRESS"

    @property
    def placeholder(self) -> str:
        return f"[{self.value}]"


DIGIT = regex.compile(r"\d")
PLACEHOLDER = regex.compile("|".join(regex.escape(entity.placeholder) for entity in Entity))


@dataclass(frozen=True, slots=True)
class Finding:
    """An identifier at `text[start:end]`; where two overlap, the higher score (0-1) keeps the shared part."""

    entity: Entity
    start: int
    end: int
    score: float


def _any_match(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of one entity.

    The identifier is the pattern's group `identifier`, else the whole match; `accepts` judges it, for
    example by its check digit. Patterns repeat within bounds, so that their cost grows with the text.
    """

    entity: Entity
    pattern: regex.Pattern[str]
    score: float
    accepts: Callable[[str], bool] = _any_match

    def find(self, text: str) -> Iterator[Finding]:
        group: str | int = "identifier" if "identifier" in self.pattern.groupindex else 0
        try:
            for match in self.pattern.finditer(text, timeout=RULE_SECONDS):
                start, end = match.span(group)
                if start < end and self.accepts(text[start:end]):
                    yield Finding(self.entity, start, end, self.score)
        except TimeoutError:
            raise FeedbackError(
                f"Redaction looked for {self.entity} in {len(text)} characters for {RULE_SECONDS} s "
                "and did not end. Set the record aside, and report the length of the text and the entity."
            ) from None


class NumberRule(Rule):
    """A rule whose identifier holds a digit: it does not search a text that holds none, as most do."""

    def find(self, text: str) -> Iterator[Finding]:
        return super().find(text) if DIGIT.search(text) else iter(())


def hide_placeholders(text: str) -> str:
    """Blank out what is redacted already, every offset unchanged, so that no rule reads into it."""
    return PLACEHOLDER.sub(lambda match: "[" + " " * (len(match.group()) - 2) + "]", text)
