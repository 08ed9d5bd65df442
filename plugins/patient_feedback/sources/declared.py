"""What every declared model shares: strictness, refusals at a field, texts told apart by their loose key, scalars."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from patient_feedback.declaration_problems import SLUG_PATTERN
from patient_feedback.sources.spelling import loose_key

LANGUAGE_PATTERN = r"^[a-z]{2,3}$"

_DAY, _MONTH, _YEAR = ("%d",), ("%m", "%b", "%B"), ("%Y", "%y")


def cron(expression: str) -> str:
    from croniter import croniter  # type: ignore[import-untyped]

    is_preset = expression in {"@hourly", "@daily", "@weekly", "@monthly"}
    if not is_preset and (len(expression.split()) != 5 or not croniter.is_valid(expression)):
        raise PydanticCustomError(
            "cron",
            'is no cron expression of five fields (minute hour day month weekday), such as "0 5 * * *" '
            "for every day at 05:00; null for no schedule",
        )
    return expression


def _date_format(given: str) -> str:
    for wanted, name in ((_DAY, "day"), (_MONTH, "month"), (_YEAR, "year")):
        if not any(directive in given for directive in wanted):
            raise PydanticCustomError(
                "date_format", f"has no {name} ({' or '.join(wanted)}): write for example %d/%m/%Y"
            )
    try:
        datetime.strptime(datetime(2024, 11, 23, tzinfo=UTC).strftime(given), given)  # noqa: DTZ007
    except ValueError as error:
        raise PydanticCustomError("date_format", f"is no strptime format: {error}") from None
    return given


def sequence_pattern(given: str) -> str:
    try:
        groups = re.compile(given).groups
    except re.error as error:
        raise PydanticCustomError("pattern", f"is no regular expression: {error}") from None
    if groups != 1:
        raise PydanticCustomError(
            "pattern", f"has {groups} groups: put the digits that count in exactly one, such as (\\d+)$"
        )
    return given


def _encoding(given: str) -> str:
    import codecs

    try:
        return codecs.lookup(given).name
    except LookupError:
        raise PydanticCustomError(
            "encoding", "is no known encoding: write for example utf-8, cp1252, iso8859-1 or utf-16"
        ) from None


def known_timezone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError):
        raise PydanticCustomError("timezone", "is no time zone: write for example Europe/London") from None
    return given


def location(given: str) -> str:
    if "://" in given and "@" in urlsplit(given).netloc:
        # Not echoed: the text holds a password.
        raise PydanticCustomError(
            "credentials", "holds a user or password: leave them out, and give them in the environment"
        )
    return given


TextValue = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""Text; an editor may show an unquoted number, which is read as its text."""
ColumnName = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
LanguageCode = Annotated[str, Field(pattern=LANGUAGE_PATTERN)]
EncodingName = Annotated[str, AfterValidator(_encoding)]
DateFormat = Annotated[str, AfterValidator(_date_format)]


class Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Refusal:
    """Collects what a model's own rules find wrong, each at a field below the model."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, field: str, message: str) -> None:
        self.found.append((field, message))

    def raise_if_any(self) -> None:
        if self.found:
            raise PydanticCustomError("rule", "breaks a rule", {"found": self.found})


class Matched(Declared):
    """A field that compares delivered texts with declared ones, case and width of white space apart."""

    @cached_property
    def values_by_key(self) -> dict[str, Any]:
        """What each declared text stands for, by its loose key."""
        return {loose_key(text): value for text, value in (getattr(self, self._values_name()) or {}).items()}

    @cached_property
    def missing_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, getattr(self, "missing", ())))

    @classmethod
    def _values_name(cls) -> str:
        return "codes" if "codes" in cls.model_fields else "values"

    @model_validator(mode="after")
    def _texts_are_told_apart(self) -> Self:
        refusal, name = Refusal(), self._values_name()
        for text, value in (getattr(self, name) or {}).items():
            if self.values_by_key[loose_key(text)] != value:
                refusal.add(
                    f"{name}.{text}", "stands for two things: case and white space do not tell texts apart"
                )
        refusal.raise_if_any()
        return self


def refuse_unless_one(model: BaseModel, one: str, other: str) -> None:
    if (getattr(model, one) is None) == (getattr(model, other) is None):
        refusal = Refusal()
        refusal.add("", f"needs exactly one of {one} and {other}")
        refusal.raise_if_any()
