"""What a declaration may say of a record: which column is which field of the feedback contract."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from patient_feedback.contract import FigureUnit, QuestionIntent
from patient_feedback.sources.declared import (
    ColumnName,
    DateFormat,
    Declared,
    LanguageCode,
    Matched,
    Refusal,
    Slug,
    TextValue,
    known_timezone,
    refuse_unless_one,
    sequence_pattern,
)
from patient_feedback.sources.spelling import loose_key


class ConflictRule(StrEnum):
    """How to choose between two readings of dates that differ by day and month swapped."""

    COLLECTED_BETWEEN = "collected_between"
    NEAREST_IN_SEQUENCE = "nearest_in_sequence"
    FIRST_FORMAT = "first_format"


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
    """The column that names it, or holds its code."""
    name_column: ColumnName | None = None
    """The column that holds its name, where `column` holds a code."""
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
        refuse_unless_one(self, "column", "constant")
        refusal = Refusal()
        if self.name_column and self.constant:
            refusal.add("name_column", "stands beside constant, which has a name")
        refusal.raise_if_any()
        return self


class Subject(Declared):
    """What a complaint is about."""

    slug: Slug
    name: Annotated[str, Field(min_length=1)]


class SubjectsField(Matched):
    """Names what a record is about, one subject or several; a list is read as it is delivered."""

    column: ColumnName
    split: Annotated[str, Field(min_length=1)] | None = None
    """The text that parts several subjects in one cell, such as ";"."""
    values: dict[str, Subject] = {}
    """Delivered text to slug and name. A text that is not listed gets a slug made from itself."""
    missing: list[TextValue] = []
    """Texts that mean nothing was given, besides the empty one."""
    optional: bool = False
    """True where a file without this column is still complete."""


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
        refuse_unless_one(self, "column", "constant")
        return self


class SequenceField(Declared):
    """A running number that grows with time, by which neighbours can vouch for a doubtful date."""

    column: ColumnName
    pattern: Annotated[str, AfterValidator(sequence_pattern)] = r"(\d+)$"
    """A regular expression whose one group holds the digits."""


class SubmittedField(Declared):
    """When the patient answered."""

    column: ColumnName
    formats: Annotated[list[DateFormat], Field(min_length=1)]
    """strptime formats, the usual one first; a later one is tried where those before give no date."""
    timezone: Annotated[str, AfterValidator(known_timezone)] = "UTC"
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
        refuse_unless_one(self, "codes", "number")
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

    @cached_property
    def declared(self) -> dict[str, AttributeField]:
        return {name: attribute for name, attribute in self if attribute is not None}


class PeriodDay(Declared):
    """A day at which a period begins or ends."""

    column: ColumnName
    formats: Annotated[list[DateFormat], Field(min_length=1)]
    """strptime formats, tried in turn."""
    optional: bool = False
    """True where a file without this column is still complete."""


class PeriodField(Declared):
    """The days that a published figure is about."""

    first: PeriodDay
    last: PeriodDay | None = None
    """Left out: the last day of the month of `first`."""


class FigureField(Declared):
    """A number that somebody published: a column, what it measures, and what stands where there is no number."""

    column: ColumnName
    measure: Slug | None = None
    """What the column measures, such as fft_positive_percent."""
    measure_column: ColumnName | None = None
    """In place of measure: the column that names it, one measure a row."""
    unit: FigureUnit | None = None
    unit_column: ColumnName | None = None
    """In place of unit: the column that names it."""
    respondents_column: ColumnName | None = None
    """How many people's answers the number is made of."""
    suppressed: list[TextValue] = []
    """Texts that mean the publisher withholds the number, such as *."""
    not_applicable: list[TextValue] = []
    """Texts that mean the measure does not apply."""
    missing: list[TextValue] = []
    """Texts that mean there is no number, besides the empty one."""
    optional: bool = False
    """True where a file without this column is still complete."""

    @cached_property
    def missing_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.missing))

    @cached_property
    def suppressed_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.suppressed))

    @cached_property
    def not_applicable_keys(self) -> frozenset[str]:
        return frozenset(map(loose_key, self.not_applicable))

    @model_validator(mode="after")
    def _is_named_once(self) -> FigureField:
        refuse_unless_one(self, "measure", "measure_column")
        refuse_unless_one(self, "unit", "unit_column")
        return self


class MarkField(Declared):
    """A column by which some records are told from the others."""

    column: ColumnName
    values: Annotated[list[TextValue], Field(min_length=1)]
    """Texts that mark a record; any other leaves it unmarked."""
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
    subjects: SubjectsField | None = None
    """What the record is about; the response counts once in totals and once for each of its subjects."""
    rating: AnswerField | None = None
    """The overall question, such as the Friends and Family Test."""
    answers: list[AnswerField] = []
    """Further closed questions."""
    comments: list[CommentField] = []
    attributes: Attributes = Attributes()
    metadata: dict[Slug, MetadataField] = {}
    """Name to column, for what only this source has."""
    withdrawn: MarkField | None = None
    """Marks a record that the patient or the source took back."""
    figures: list[FigureField] = []
    """For published figures in place of responses: the numbers of a record, about its organisation and period."""
    period: PeriodField | None = None
    """figures: the days that they are about."""
    total: MarkField | None = None
    """figures: marks a record whose figures are the sum of others', such as a country's."""

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
        if not self.comments and not self.all_answers and not self.figures:
            refusal.add(
                "", "maps neither comments nor answers nor figures: there is nothing that a patient says"
            )
        refusal.raise_if_any()
        return self

    @model_validator(mode="after")
    def _figures_stand_alone(self) -> FieldMapping:
        refusal = Refusal()
        if not self.figures:
            for name in ("period", "total"):
                if getattr(self, name) is not None:
                    refusal.add(name, "has no meaning without figures")
            refusal.raise_if_any()
            return self
        if self.period is None:
            refusal.add("period", "is missing: a published figure is about some days")
        said = ("answers", "attributes", "channel", "comments", "rating", "respondent_ref", "response_ref")
        for name in (*said, "subjects", "submitted_on"):
            if getattr(self, name) != type(self).model_fields[name].get_default():
                refusal.add(name, "has no meaning beside figures: a record is a patient's, or a publisher's")
        measures = [figure.measure or "the measure of a column" for figure in self.figures]
        for index, measure in enumerate(measures):
            if measure in measures[:index]:
                refusal.add(
                    f"figures[{index}].measure", f"'{measure}' is already figures[{measures.index(measure)}]"
                )
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
    def columns_without_words(self) -> frozenset[str]:
        """The columns that the mapping names, those of comments left out."""
        return frozenset(self.columns) - {comment.column for comment in self.comments}

    @property
    def all_answers(self) -> tuple[AnswerField, ...]:
        return tuple(answer for _, answer in self._answers_by_field())


def _named_columns(model: BaseModel, is_optional: bool) -> Iterator[tuple[str, bool]]:
    is_optional = is_optional or getattr(model, "optional", False)
    for name, value in model:
        if (name == "column" or name.endswith("_column")) and value is not None:
            yield value, is_optional
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        ):
            if isinstance(part, BaseModel):
                yield from _named_columns(part, is_optional)
