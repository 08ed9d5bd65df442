"""What `sources.yml` may say: the sources, where their files lie, how their columns map to the contract.

Every scalar of the file is read as text and the field's own type decides what it means, so that `no`,
`007` and `1.10` stay what their author wrote. `python -m patient_feedback.sources.declaration` prints
the JSON Schema that editors complete from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from patient_feedback.contract import QuestionIntent
from patient_feedback.declaration_problems import Problem, read_yaml, render_problems, validation_problems
from patient_feedback.errors import DeclarationError
from patient_feedback.sources.spelling import loose_key

SLUG_PATTERN = r"^[a-z][a-z0-9_]{1,47}$"
LANGUAGE_PATTERN = r"^[a-z]{2,3}$"
ISO_DATE_FORMAT = "%Y-%m-%d"

_DAY, _MONTH, _YEAR = ("%d",), ("%m", "%b", "%B"), ("%Y", "%y")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _cron(expression: str) -> str:
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


def _sequence_pattern(given: str) -> str:
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


def _timezone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError):
        raise PydanticCustomError("timezone", "is no time zone: write for example Europe/London") from None
    return given


def _location(given: str) -> str:
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


class SourceKind(StrEnum):
    CSV_FILE = "csv_file"
    XLSX_FILE = "xlsx_file"
    JSONL_FILE = "jsonl_file"


class ConflictRule(StrEnum):
    """How to choose between two readings of dates that differ by day and month swapped."""

    COLLECTED_BETWEEN = "collected_between"
    NEAREST_IN_SEQUENCE = "nearest_in_sequence"
    FIRST_FORMAT = "first_format"


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


class Where(Declared):
    """Where the source's files lie."""

    path: Annotated[str, Field(min_length=1), AfterValidator(_location)]
    """A file, a folder, or a URL such as s3://bucket/prefix. ${NAME} stands for an environment variable; a
    relative path starts at the folder of this file."""
    pattern: str | None = None
    """Which files of a folder, such as fft_*.csv. Default: the usual ending of the kind."""
    settle_seconds: Annotated[int, Field(ge=0)] = 0
    """A file changed less than so many seconds ago counts as still being written and is left alone."""


class Format(Declared):
    """How the files are written."""

    encodings: Annotated[list[EncodingName], Field(min_length=1)] = ["utf-8", "cp1252"]
    """Text encodings, the expected one first; text that needs another is read with it and reported."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """csv_file: the character between columns. Left out: found among , ; | and tab."""
    sheet: str | None = None
    """xlsx_file: the sheet's name. Left out: the first sheet."""
    header_row: Annotated[int, Field(ge=1)] = 1
    """csv_file, xlsx_file: the line that holds the column names, counted from 1."""


class ColumnField(Declared):
    """A column taken as it is; its name alone may be written in place of `column:`."""

    column: ColumnName
    """The column's name as delivered; case and width of white space do not matter."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str) else given

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        properties = dict(schema)
        schema.clear()
        description = properties.pop("description", "")
        schema.update({"description": description, "anyOf": [{"type": "string"}, properties]})
        return schema


class MetadataField(ColumnField):
    """A column that only this source has; kept under its own name in source_metadata."""

    split: Annotated[str, Field(min_length=1)] | None = None
    """The text that parts several values in one cell, such as ";": the value is kept as a list."""


class Place(Declared):
    """An organisation, site or service."""

    slug: Slug
    name: Annotated[str, Field(min_length=1)]


class PlaceField(Matched):
    """Names an organisation, site or service: from a column, or the same for all records."""

    column: ColumnName | None = None
    """The column that names it."""
    constant: Place | None = None
    """The same for every record."""
    values: dict[str, Place] = {}
    """Delivered text to slug and name. A text that is not listed gets a slug made from itself."""
    missing: list[TextValue] = []
    """Texts that mean nothing was given, besides the empty one."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> PlaceField:
        _refuse_unless_one(self, "column", "constant")
        return self


class ChannelField(Matched):
    """How the feedback came: by a column, or the same for all records."""

    column: ColumnName | None = None
    constant: Slug | None = None
    """The same for every record, such as sms, web, letter, phone, kiosk."""
    values: dict[str, Slug] = {}
    """Delivered text to slug. A text that is not listed gets a slug made from itself."""
    missing: list[TextValue] = []
    """Texts that mean nothing was given, besides the empty one."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> ChannelField:
        _refuse_unless_one(self, "column", "constant")
        return self


class SequenceField(Declared):
    """A running number that grows with time, by which neighbours can vouch for a doubtful date."""

    column: ColumnName
    pattern: Annotated[str, AfterValidator(_sequence_pattern)] = r"(\d+)$"
    """A regular expression whose one group holds the digits."""


class SubmittedField(Declared):
    """When the patient answered."""

    column: ColumnName
    formats: Annotated[list[DateFormat], Field(min_length=1)]
    """strptime formats, the usual one first; a later one is tried where those before give no date."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    """Time zone of a format that has a time of day."""
    collected_from: date | None = None
    """No answer was given before this day."""
    collected_until: date | None = None
    """No answer was given after this day."""
    sequence: SequenceField | None = None
    """A running number of the source that grows with time."""
    conflict_rules: Annotated[list[ConflictRule], Field(min_length=1)] = [ConflictRule.FIRST_FORMAT]
    """Tried in turn where records of one response bear dates that differ by day and month swapped and both
    readings are valid."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @model_validator(mode="after")
    def _rules_have_what_they_need(self) -> SubmittedField:
        refusal = Refusal()
        rules, first, last = self.conflict_rules, self.collected_from, self.collected_until
        if ConflictRule.COLLECTED_BETWEEN in rules and not (first or last):
            refusal.add("conflict_rules", "names collected_between: give collected_from, or leave it out")
        if ConflictRule.NEAREST_IN_SEQUENCE in rules and self.sequence is None:
            refusal.add("conflict_rules", "names nearest_in_sequence: give sequence, or leave it out")
        if len(set(rules)) < len(rules):
            refusal.add("conflict_rules", "names a rule twice")
        if first and last and last < first:
            refusal.add("collected_until", f"{last} is before collected_from {first}")
        refusal.raise_if_any()
        return self


class NumberRange(Declared):
    """The numbers that an answer may be, both ends included."""

    min: float
    max: float

    @model_validator(mode="after")
    def _is_ordered(self) -> NumberRange:
        refusal = Refusal()
        if self.max < self.min:
            refusal.add("max", f"{self.max:g} is less than min {self.min:g}")
        refusal.raise_if_any()
        return self


class AnswerField(Matched):
    """One closed question: a column, the item it answers, and what its values mean."""

    column: ColumnName
    instrument: Slug
    """The questionnaire, such as fft, picker, sure, pam."""
    version: Annotated[TextValue, Field(min_length=1)]
    """The version of the questionnaire's wording or scoring."""
    item: Slug
    """The question within the questionnaire."""
    codes: dict[str, float | None] | None = None
    """Delivered code or wording to its number; null where it has no number, as a don't know has none."""
    number: NumberRange | None = None
    """In place of codes: the answer is a number of this range."""
    missing: list[TextValue] = []
    """Values that mean nothing was answered, besides the empty one."""
    not_applicable: list[TextValue] = []
    """Values that mean the question did not apply."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @cached_property
    def not_applicable_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.not_applicable))

    @cached_property
    def code_by_key(self) -> dict[str, str]:
        """Each declared code as its author wrote it, by its loose key."""
        return {loose_key(code): code for code in self.codes or {}}

    @model_validator(mode="after")
    def _has_one_scale(self) -> AnswerField:
        _refuse_unless_one(self, "codes", "number")
        return self


class Question(Declared):
    """A question that asks for words."""

    slug: Slug
    intent: QuestionIntent
    """What the question asks for; it tells the models how to read a short answer."""


class QuestionField(Matched):
    """Which question a comment answers: always the same (slug, intent), or by a column (column, values)."""

    slug: Slug | None = None
    intent: QuestionIntent | None = None
    """What the question asks for; it tells the models how to read a short answer."""
    column: ColumnName | None = None
    """The column that holds the question's text."""
    values: dict[str, Question] = {}
    """Question text to its slug and intent. A text that is not listed gets a slug of its own, intent open."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> QuestionField:
        refusal = Refusal()
        if (self.slug is None) == (self.column is None):
            refusal.add("", "needs either slug and intent, or column and values")
        elif self.slug is not None and self.intent is None:
            refusal.add("intent", f"is missing. Allowed: {', '.join(QuestionIntent)}")
        elif self.column is not None and self.intent is not None:
            refusal.add("intent", "stands beside column: give each question its own intent under values")
        elif self.slug is not None and self.values:
            refusal.add("values", "stands beside slug: values go with column")
        refusal.raise_if_any()
        return self


class CommentField(Declared):
    """A column of words that patients wrote."""

    column: ColumnName
    question: QuestionField
    blank: list[TextValue] = []
    """Texts that stand for no comment, besides the empty one, such as "Did not answer"."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @cached_property
    def blank_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.blank))


class AttributeField(Matched):
    """Something about the person, kept as text."""

    column: ColumnName
    values: dict[str, Annotated[str, Field(min_length=1)] | None] | None = None
    """Delivered text to the value kept; null where it says nothing. Left out: the text is kept as it is."""
    missing: list[TextValue] = []
    """Texts that mean nothing was given, besides the empty one."""
    optional: bool = False
    """True where a file without this column is still complete."""


class LanguageField(AttributeField):
    """A language, kept as its ISO 639 code."""

    values: dict[str, LanguageCode | None] | None = None
    """Delivered text to ISO 639 code, such as en, sv, so. Left out: the delivered text is the code."""


class QuintileField(AttributeField):
    """Deprivation, 1 most to 5 least deprived."""

    values: dict[str, Annotated[int, Field(ge=1, le=5)] | None] | None = None  # type: ignore[assignment]
    """Delivered text to quintile; deciles are mapped here. Left out: the delivered text is 1 to 5."""


class YesNoField(AttributeField):
    """Yes or no."""

    values: dict[str, bool | None] | None = None  # type: ignore[assignment]
    """Delivered text to true or false. Left out: yes, no, true, false, y, n, 1, 0."""


class Attributes(Declared):
    """What is known about the person who answered."""

    age_band: AttributeField | None = None
    sex: AttributeField | None = None
    ethnic_group: AttributeField | None = None
    deprivation_quintile: QuintileField | None = None
    preferred_language: LanguageField | None = None
    has_disability: YesNoField | None = None
    language_code: LanguageField | None = None
    """The language of the comments, where the source says it."""


class WithdrawnField(Declared):
    """Marks a record that the patient or the source took back."""

    column: ColumnName
    values: Annotated[list[TextValue], Field(min_length=1)]
    """Texts that say so; any other means that the record stands."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.values))


class FieldMapping(Declared):
    """From the source's columns to the feedback contract."""

    record_ref: ColumnField
    """The source's own id of a record; a record without one is set aside."""
    response_ref: ColumnField | None = None
    """The id that records of one response share. Left out: record_ref, one record is one response."""
    respondent_ref: ColumnField | None = None
    """The id of the person; only a keyed hash of it is kept."""
    record_version: ColumnField | None = None
    """A whole number that grows when a record is edited."""
    submitted_on: SubmittedField | None = None
    organisation: PlaceField | None = None
    site: PlaceField | None = None
    service: PlaceField | None = None
    channel: ChannelField | None = None
    rating: AnswerField | None = None
    """The overall question, such as the Friends and Family Test."""
    answers: list[AnswerField] = []
    """Further closed questions."""
    comments: list[CommentField] = []
    attributes: Attributes = Attributes()
    metadata: dict[Slug, MetadataField] = {}
    """Name to column, for what only this source has."""
    withdrawn: WithdrawnField | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> FieldMapping:
        refusal = Refusal()
        items: dict[tuple[str, str, str], str] = {}
        for field, answer in self._answers_by_field():
            item = (answer.instrument, answer.version, answer.item)
            if item in items:
                named = f"'{answer.item}' of {answer.instrument} {answer.version}"
                refusal.add(f"{field}.item", f"{named} is already {items[item]}")
            items.setdefault(item, field)
        questions: dict[str, str] = {}
        for index, comment in enumerate(self.comments):
            slug = comment.question.slug
            if slug in questions:
                refusal.add(f"comments[{index}].question.slug", f"'{slug}' is already {questions[slug]}")
            if slug:
                questions.setdefault(slug, f"comments[{index}]")
        if not self.comments and not self.all_answers:
            refusal.add("", "maps neither comments nor answers: there is nothing that a patient says")
        refusal.raise_if_any()
        return self

    def _answers_by_field(self) -> Iterator[tuple[str, AnswerField]]:
        if self.rating:
            yield "rating", self.rating
        for index, answer in enumerate(self.answers):
            yield f"answers[{index}]", answer

    @cached_property
    def columns(self) -> dict[str, bool]:
        """Every column that the mapping names; True where a file without it is still complete."""
        named: dict[str, bool] = {}
        for column, is_optional in _named_columns(self, False):
            named[column] = named.get(column, True) and is_optional
        return named

    @property
    def all_answers(self) -> tuple[AnswerField, ...]:
        return tuple(answer for _, answer in self._answers_by_field())


class Source(Declared):
    """One source of feedback."""

    slug: Slug
    """Permanent name: it is part of every id. Never change it, never use it for another source."""
    label: Annotated[str, Field(min_length=1)]
    """The name that people read."""
    kind: SourceKind
    owner: Annotated[str, Field(min_length=1)]
    """Who answers for the source: a person's or a team's address."""
    description: str | None = None
    where: Where
    format: Format = Format()
    schedule: Annotated[str, AfterValidator(_cron)] | None = None
    """When to look for files, as a cron expression in UTC, such as "0 5 * * *"; null for only on demand."""
    deadline_minutes: Annotated[int, Field(ge=1)] = 60
    """How long a run may take before its owner is told."""
    language: LanguageCode = "en"
    """The usual language of the comments, taken where the text is too short to tell."""
    ignore_columns: list[ColumnName] = []
    """Columns that are never read into the database; "Label*" stands for all that begin so."""
    mapping: FieldMapping

    @model_validator(mode="after")
    def _format_suits_kind(self) -> Source:
        refusal = Refusal()
        suited = {
            "encodings": (SourceKind.CSV_FILE, SourceKind.JSONL_FILE),
            "delimiter": (SourceKind.CSV_FILE,),
            "sheet": (SourceKind.XLSX_FILE,),
            "header_row": (SourceKind.CSV_FILE, SourceKind.XLSX_FILE),
        }
        for name in sorted(self.format.model_fields_set):
            if self.kind not in suited[name]:
                kinds = ", ".join(suited[name])
                refusal.add(f"format.{name}", f"has no meaning for {self.kind}: it is for {kinds}")
        for column in self.mapping.columns:
            if self.ignores(column):
                refusal.add("ignore_columns", f"covers the column '{column}', which the mapping reads")
        refusal.raise_if_any()
        return self

    def ignores(self, column: str) -> bool:
        """Tell whether the column is never to be read."""
        key = loose_key(column)
        return any(
            key.startswith(loose_key(ignored[:-1])) if ignored.endswith("*") else key == loose_key(ignored)
            for ignored in self.ignore_columns
        )

    @cached_property
    def declaration_sha256(self) -> str:
        """Hash of what decides how a file is read and mapped; not of where it lies or when it is fetched."""
        deciding = {"slug", "kind", "format", "language", "ignore_columns", "mapping"}
        meaning = self.model_dump(mode="json", include=deciding)
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


class SourcesFile(Declared):
    """The sources that the workflow reads."""

    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _slugs_are_unique(self) -> SourcesFile:
        refusal = Refusal()
        first: dict[str, int] = {}
        for index, source in enumerate(self.sources):
            if source.slug in first:
                other = f"sources[{first[source.slug]}]"
                refusal.add(f"sources[{index}].slug", f"'{source.slug}' is already the slug of {other}")
            first.setdefault(source.slug, index)
        refusal.raise_if_any()
        return self


def _named_columns(model: BaseModel, is_optional: bool) -> Iterator[tuple[str, bool]]:
    is_optional = is_optional or getattr(model, "optional", False)
    for name, value in model:
        if name == "column" and value is not None:
            yield value, is_optional
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        ):
            if isinstance(part, BaseModel):
                yield from _named_columns(part, is_optional)


def _refuse_unless_one(model: BaseModel, one: str, other: str) -> None:
    if (getattr(model, one) is None) == (getattr(model, other) is None):
        refusal = Refusal()
        refusal.add("", f"needs exactly one of {one} and {other}")
        refusal.raise_if_any()


def load_sources(
    path: Path, environ: Mapping[str, str] | None = None, *, check_paths: bool = False
) -> tuple[Source, ...]:
    """Return the declared sources, each with `where.path` expanded and absolute.

    Raises DeclarationError that lists every problem with file, line, field, what was given and what is
    allowed. `check_paths` also refuses a local path that does not exist.
    """
    environ = os.environ if environ is None else environ
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DeclarationError(f"There is no declaration of sources at {path}: give a sources.yml.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} cannot be read as YAML in UTF-8: {error}.") from None
    document = read_yaml(text, path)
    problems = list(document.problems)
    located: list[Source] = []
    try:
        declared = SourcesFile.model_validate(document.value)
    except ValidationError as error:
        problems += validation_problems(error, SourcesFile)
    else:
        for index, source in enumerate(declared.sources):
            absolute, found = _absolute_path(source.where.path, path.resolve().parent, environ, check_paths)
            problems += [Problem(("sources", index, "where", "path"), message) for message in found]
            where = source.where.model_copy(update={"path": absolute})
            located.append(source.model_copy(update={"where": where}))
    if problems:
        raise DeclarationError(render_problems(path, document, problems))
    return tuple(located)


def _absolute_path(
    given: str, folder: Path, environ: Mapping[str, str], is_to_exist: bool
) -> tuple[str, list[str]]:
    unset = [name for name in dict.fromkeys(_VARIABLE.findall(given)) if not environ.get(name)]
    if unset:
        wanted = "which is not set: set it to the place of the files"
        return given, [f"needs the environment variable {name}, {wanted}" for name in unset]
    expanded = _VARIABLE.sub(lambda match: environ[match[1]], given)
    if expanded.startswith("file://"):
        expanded = url2pathname(urlsplit(expanded).path)
    if "://" in expanded:
        try:
            return _location(expanded), []
        except PydanticCustomError as error:
            return given, [error.message()]
    absolute = folder / Path(expanded).expanduser()
    problems = []
    if is_to_exist and not absolute.exists():
        problems.append(f"points to {absolute}, where there is no file or folder: make it, or mend the path")
    return os.path.normpath(absolute), problems


def write_resolved(sources: Sequence[Source], path: Path) -> None:
    """Write a declaration equal to `sources`, with absolute paths and no variables left."""
    declared = {"sources": [source.model_dump(mode="json", exclude_defaults=True) for source in sources]}
    path.write_text(yaml.safe_dump(declared, sort_keys=False, allow_unicode=True), encoding="utf-8")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `sources.yml` that editors complete and check from."""
    schema = SourcesFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
