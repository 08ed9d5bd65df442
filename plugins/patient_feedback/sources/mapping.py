"""Maps a delivered record to typed candidates, as its source declares. Pure: no clock, no database."""

from __future__ import annotations

import hashlib
import json
import math
import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from patient_feedback.contract import (
    Answer,
    AnswerState,
    Comment,
    Figure,
    FigureState,
    FigureUnit,
    QuestionIntent,
    stable_id,
)
from patient_feedback.sources.dates import DateFact, DateReading
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.declared import LANGUAGE_PATTERN
from patient_feedback.sources.delivered_file import LONGEST_REFERENCE_BYTES, Defect, DeliveredRecord
from patient_feedback.sources.extraction import WITHDRAWN_KEY
from patient_feedback.sources.field_mapping import (
    AnswerField,
    AttributeField,
    ChannelField,
    CommentField,
    FigureField,
    LanguageField,
    MarkField,
    MetadataField,
    PeriodDay,
    PeriodField,
    Place,
    PlaceField,
    QuestionField,
    QuintileField,
    Subject,
    SubjectsField,
    YesNoField,
)
from patient_feedback.sources.spelling import has_untidy_space, loose_key, slug_of, tidy

CANDIDATE_RECORD_COLUMNS = (
    "delivery_id", "record_number", "source_slug", "source_record_ref", "response_id", "content_sha256",
    "record_version", "is_withdrawn", "defects",
)  # fmt: skip
CANDIDATE_RESPONSE_COLUMNS = (
    "delivery_id", "record_number", "response_id", "response_ref", "respondent_id",
    "organisation_slug", "organisation_name", "site_slug", "site_name", "service_slug", "service_name",
    "channel_slug", "submitted_text", "submitted_on", "submitted_at", "submitted_on_basis",
    "submitted_on_note", "is_submitted_on_conflicting", "is_submitted_on_doubtful", "has_untidy_space",
    "has_formula_error", "unmapped_fields", "language_code", "age_band", "sex", "ethnic_group",
    "deprivation_quintile", "preferred_language", "has_disability", "source_metadata",
)  # fmt: skip
CANDIDATE_ANSWER_COLUMNS = (
    "delivery_id", "record_number", "response_id", "instrument_slug", "instrument_version", "item_slug",
    "value_number", "value_code", "answer_state", "is_documented",
)  # fmt: skip
CANDIDATE_COMMENT_COLUMNS = (
    "delivery_id", "record_number", "response_id", "comment_id", "source_record_ref", "question_slug",
    "question_intent", "is_question_declared", "comment_text", "comment_length", "is_blank",
    "has_control_character", "has_markup", "has_formula_start",
)  # fmt: skip
CANDIDATE_SUBJECT_COLUMNS = ("delivery_id", "record_number", "response_id", "subject_slug", "subject_label")
CANDIDATE_FIGURE_COLUMNS = (
    "delivery_id", "record_number", "measure_slug", "figure_id", "organisation_slug", "organisation_name",
    "site_slug", "site_name", "service_slug", "service_name", "is_total", "period_first_on", "period_last_on",
    "value_number", "unit", "figure_state", "is_documented", "respondent_count", "respondent_band",
    "source_metadata",
)  # fmt: skip

FORMULA_ERRORS = frozenset(
    ("#ref!", "#n/a", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#spill!", "#calc!", "#getting_data")
)
CONTENT_SHA256_KEY = "__content_sha256__"
"""Payload key of what the content's hash was before the words of a withdrawn record were taken out."""
UNNAMED_QUESTION = "unnamed_question"
"""Slug of a comment whose question column is empty."""
LARGEST_SEQUENCE_NUMBER = 2**63 - 1
UNNAMED_MEASURE = "unnamed_measure"
"""Slug of a figure whose measure column is empty."""

_CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MARKUP = re.compile(r"</?[a-zA-Z!][^<>]*>")
_FORMULA_START = re.compile(
    r"[\t\r ]*(?:=[\w+\-\"@]|=\(+\w|@\w+\(|[+\-](?!\s)(?:[^\s(|!]*\w\(|[^\s|]*\||[^\s!]*![A-Z$]))"
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode
_METADATA = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
_UNITS = {str(unit): unit for unit in FigureUnit}
_YES_NO = {
    "yes": True,
    "y": True,
    "true": True,
    "1": True,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """One delivered record as typed candidates; the row methods give tuples in the order of the constants.

    `date_fact` is what `dates.resolve_dates` needs of it; its reading goes into `response_row`.
    """

    record_number: int
    source_slug: str
    source_record_ref: str | None
    response_id: str | None
    response_ref: str | None
    content_sha256: str
    record_version: int | None
    is_withdrawn: bool
    defects: tuple[str, ...]
    date_fact: DateFact
    respondent_id: str | None = None
    organisation: tuple[str | None, str | None] = (None, None)
    site: tuple[str | None, str | None] = (None, None)
    service: tuple[str | None, str | None] = (None, None)
    channel_slug: str | None = None
    has_untidy_space: bool = False
    has_formula_error: bool = False
    unmapped_fields: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    comments: tuple[Comment, ...] = ()
    subjects: tuple[tuple[str, str], ...] = ()
    """Slug and label of each, as the record orders them; each slug once."""
    figures: tuple[Figure, ...] = ()
    period: tuple[date | None, date | None] = (None, None)
    """First and last day that the figures are about."""
    is_total: bool = False

    def record_row(self, delivery_id: str) -> tuple[Any, ...]:
        return (
            delivery_id, self.record_number, self.source_slug, self.source_record_ref, self.response_id,
            self.content_sha256, self.record_version, self.is_withdrawn, list(self.defects),
        )  # fmt: skip

    def response_row(self, delivery_id: str, reading: DateReading) -> tuple[Any, ...]:
        """Return the row; source_metadata as JSON text."""
        known = self.attributes.get
        return (
            delivery_id, self.record_number, self.response_id, self.response_ref, self.respondent_id,
            *self.organisation, *self.site, *self.service,
            self.channel_slug, self.date_fact.raw, reading.submitted_on, reading.submitted_at,
            str(reading.basis), reading.note, reading.is_conflicting, reading.is_doubtful,
            self.has_untidy_space, self.has_formula_error, list(self.unmapped_fields),
            known("language_code"), known("age_band"), known("sex"), known("ethnic_group"),
            known("deprivation_quintile"), known("preferred_language"), known("has_disability"),
            _METADATA(self.metadata) if self.metadata else "{}",
        )  # fmt: skip

    def answer_rows(self, delivery_id: str) -> Iterator[tuple[Any, ...]]:
        for answer in self.answers:
            yield (
                delivery_id, self.record_number, self.response_id, answer.instrument_slug,
                answer.instrument_version, answer.item_slug, answer.value_number, answer.value_code,
                str(answer.answer_state), answer.is_documented,
            )  # fmt: skip

    def comment_rows(self, delivery_id: str) -> Iterator[tuple[Any, ...]]:
        for comment in self.comments:
            yield (
                delivery_id, self.record_number, self.response_id, comment.comment_id, self.source_record_ref,
                comment.question_slug, str(comment.question_intent), comment.is_question_declared,
                comment.comment_text, len(comment.comment_text), comment.is_blank,
                comment.has_control_character, comment.has_markup, comment.has_formula_start,
            )  # fmt: skip

    def figure_rows(self, delivery_id: str) -> Iterator[tuple[Any, ...]]:
        metadata = _METADATA(self.metadata)
        for figure in self.figures:
            reference = self.source_record_ref
            yield (
                delivery_id, self.record_number, figure.measure_slug,
                reference and stable_id(self.source_slug, reference, figure.measure_slug),
                *self.organisation, *self.site, *self.service, self.is_total, *self.period,
                figure.value_number, figure.unit and str(figure.unit), str(figure.figure_state),
                figure.is_documented, figure.respondent_count, figure.respondent_band, metadata,
            )  # fmt: skip

    def subject_rows(self, delivery_id: str) -> Iterator[tuple[Any, ...]]:
        for slug, label in self.subjects:
            yield delivery_id, self.record_number, self.response_id, slug, label


def map_record(record: DeliveredRecord, source: Source, pseudonymise: Callable[[str], str]) -> MappedRecord:
    """Return the record's candidates; nothing raises, whatever was delivered.

    A record without `record_ref`, or with one that is too long for any, has neither source_record_ref nor
    response_id, and its comments no id: a check sets it aside. `pseudonymise` turns the respondent's ref into a keyed hash.
    """
    row = _Row(record.payload)
    mapping = source.mapping
    record_ref, response_ref = row.references(source)
    is_response = record_ref and response_ref and not mapping.figures
    response_id = stable_id(source.slug, response_ref) if is_response and response_ref else None
    respondent_ref = row.name(mapping.respondent_ref.column) if mapping.respondent_ref else None
    respondent_id = pseudonymise(respondent_ref) if respondent_ref else None
    service = row.place("service", mapping.service)
    is_line_read = Defect.UNREADABLE_LINE not in record.defects
    return MappedRecord(
        record_number=record.record_number,
        source_slug=source.slug,
        source_record_ref=record_ref,
        response_id=response_id,
        # Where the source names a response by its person, the person's reference goes no further.
        response_ref=respondent_id if respondent_ref == response_ref else response_ref,
        content_sha256=_content_sha256(record, source),
        record_version=row.version(source),
        is_withdrawn=row.is_withdrawn(source),
        defects=(*record.defects, *row.defects),
        date_fact=row.date_fact(record.record_number, source, response_ref, service[0]),
        respondent_id=respondent_id,
        organisation=row.place("organisation", mapping.organisation),
        site=row.place("site", mapping.site),
        service=service,
        channel_slug=row.channel(mapping.channel),
        attributes={
            name: row.attribute(name, attribute) for name, attribute in mapping.attributes.declared.items()
        },
        metadata={
            name: value
            for name, column in mapping.metadata.items()
            if (value := row.metadata(column)) is not None
        },
        answers=tuple(map(row.answer, mapping.all_answers)) if is_line_read else (),
        comments=tuple(row.comments(mapping.comments, response_id)) if is_line_read else (),
        subjects=tuple(row.subjects(mapping.subjects).items()) if mapping.subjects else (),
        figures=tuple(row.figures(mapping.figures)) if is_line_read else (),
        period=row.period(mapping.period) if mapping.period else (None, None),
        is_total=row.is_marked(mapping.total),
        # Last: the readings above note what they find.
        has_untidy_space=row.has_untidy_space,
        has_formula_error=row.has_formula_error,
        unmapped_fields=tuple(row.unmapped_fields),
    )


def date_fact(record: DeliveredRecord, source: Source) -> DateFact:
    """Return the date fact of `map_record` alone, at a fraction of its cost.

    Thus dates can be resolved in a first pass over a delivery and records mapped as a stream in a second.
    """
    row = _Row(record.payload)
    mapping = source.mapping
    _, response_ref = row.references(source)
    return row.date_fact(record.record_number, source, response_ref, row.place("service", mapping.service)[0])


class _Row:
    """One record under mapping: reads its columns and notes what it found untidy."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload
        self.has_untidy_space = False
        self.has_formula_error = False
        self.unmapped_fields: list[str] = []
        self.defects: tuple[str, ...] = ()

    def text(self, column: str) -> str | None:
        """Return the column's text, None where it is empty or a spreadsheet's error."""
        value = self._payload.get(column)
        text = value if isinstance(value, str) else _text(value)
        if text is None or not text.strip():
            return None
        if text.startswith("#") and text.strip().lower() in FORMULA_ERRORS:
            self.has_formula_error = True
            return None
        return text

    def name(self, column: str) -> str | None:
        text = self.text(column)
        return text.strip() if text else None

    def references(self, source: Source) -> tuple[str | None, str | None]:
        """Return the record's and the response's; None for one that is too long."""
        mapping = source.mapping
        record_ref = self.name(mapping.record_ref.column)
        response_ref = (mapping.response_ref and self.name(mapping.response_ref.column)) or record_ref
        if _is_overlong(record_ref) or _is_overlong(response_ref):
            self.defects = (Defect.OVERLONG_REFERENCE,)
        return (
            None if _is_overlong(record_ref) else record_ref,
            None if _is_overlong(response_ref) else response_ref,
        )

    def place(self, name: str, place: PlaceField | None) -> tuple[str | None, str | None]:
        if place is None:
            return None, None
        if place.constant:
            return place.constant.slug, place.constant.name
        text = self.text(place.column or "")
        if text is None:
            return None, None
        name_text = (self.text(place.name_column) if place.name_column else None) or text
        self.has_untidy_space = self.has_untidy_space or has_untidy_space(text) or has_untidy_space(name_text)
        key = loose_key(text)
        if key in place.missing_keys:
            return None, None
        known: dict[str, Place] = place.values_by_key
        if key in known:
            return known[key].slug, known[key].name
        if known:
            self.unmapped_fields.append(name)
        return slug_of(text), tidy(name_text)

    def channel(self, channel: ChannelField | None) -> str | None:
        if channel is None or channel.constant:
            return channel.constant if channel else None
        text = self.text(channel.column or "")
        if text is None or loose_key(text) in channel.missing_keys:
            return None
        known: dict[str, str] = channel.values_by_key
        if known and loose_key(text) not in known:
            self.unmapped_fields.append("channel")
        return known.get(loose_key(text)) or slug_of(text)

    def subjects(self, declared: SubjectsField) -> dict[str, str]:
        """Return the label of each subject by its slug; of two labels with one slug the first stays."""
        known: dict[str, Subject] = declared.values_by_key
        labels: dict[str, str] = {}
        for text in self._parts(declared):
            key = loose_key(text)
            if key in declared.missing_keys:
                continue
            if key in known:
                labels.setdefault(known[key].slug, known[key].name)
                continue
            if known and "subjects" not in self.unmapped_fields:
                self.unmapped_fields.append("subjects")
            labels.setdefault(slug_of(text), tidy(text))
        return labels

    def _parts(self, declared: SubjectsField) -> list[str]:
        delivered = self._payload.get(declared.column)
        if isinstance(delivered, list):
            parts = [_text(part) or "" for part in delivered]
        else:
            text = self.text(declared.column) or ""
            parts = text.split(declared.split) if declared.split else [text]
        return [part for part in parts if not _is_invisible(part)]

    def attribute(self, name: str, attribute: AttributeField) -> Any:
        text = self.text(attribute.column)
        if text is None:
            return None
        key = loose_key(text)
        if key in attribute.missing_keys:
            return None
        known = attribute.values_by_key
        if key in known:
            return known[key]
        value = None if attribute.values is not None else _undeclared_value(attribute, text, key)
        if value is None:
            self.unmapped_fields.append(name)
        return value

    def metadata(self, column: MetadataField) -> Any:
        if column.split:
            text = self.text(column.column) or ""
            return [part.strip() for part in text.split(column.split) if part.strip()] or None
        delivered = self._payload.get(column.column)
        return delivered if isinstance(delivered, list) else self.name(column.column)

    def version(self, source: Source) -> int | None:
        if source.mapping.record_version is None:
            return None
        text = self.name(source.mapping.record_version.column)
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", text):
            self.unmapped_fields.append("record_version")
            return None
        return int(text)

    def is_withdrawn(self, source: Source) -> bool:
        return bool(self._payload.get(WITHDRAWN_KEY)) or self.is_marked(source.mapping.withdrawn)

    def is_marked(self, mark: MarkField | None) -> bool:
        text = self.text(mark.column) if mark else None
        return bool(mark and text and loose_key(text) in mark.keys)

    def period(self, declared: PeriodField) -> tuple[date | None, date | None]:
        """Return the first and the last day; None for one that cannot be read."""
        first = self._day(declared.first)
        if declared.last is not None:
            return first, self._day(declared.last)
        return first, first and first.replace(day=monthrange(first.year, first.month)[1])

    def _day(self, declared: PeriodDay) -> date | None:
        text = self.name(declared.column)
        return _day(text, tuple(declared.formats)) if text else None

    def figures(self, declared: list[FigureField]) -> Iterator[Figure]:
        taken: set[str] = set()
        for one in declared:
            if one.optional and one.column not in self._payload:
                continue
            figure = self._figure(one)
            while figure.measure_slug in taken:
                figure = replace(figure, measure_slug=f"{figure.measure_slug}_again", is_documented=False)
            taken.add(figure.measure_slug)
            yield figure

    def _figure(self, declared: FigureField) -> Figure:
        named = self.name(declared.measure_column) if declared.measure_column else None
        measure = declared.measure or (slug_of(named) if named else UNNAMED_MEASURE)
        unit = declared.unit or _UNITS.get(loose_key(self.name(declared.unit_column or "") or ""))
        text = _text(self._payload.get(declared.column)) or ""
        key, number = loose_key(text), _published_number(text, unit)
        if not key or key in declared.missing_keys:
            state, number = FigureState.NOT_AVAILABLE, None
        elif key in declared.suppressed_keys:
            state, number = FigureState.SUPPRESSED, None
        elif key in declared.not_applicable_keys:
            state, number = FigureState.NOT_APPLICABLE, None
        else:
            state = FigureState.PUBLISHED
        respondents = (self.name(declared.respondents_column) if declared.respondents_column else None) or ""
        count = _published_number(respondents, FigureUnit.COUNT)
        is_count = count is not None and count >= 0 and count.is_integer()
        is_band = not is_count and respondents and loose_key(respondents) not in declared.missing_keys
        return Figure(
            measure_slug=measure,
            value_number=number,
            unit=unit,
            figure_state=state,
            is_documented=measure != UNNAMED_MEASURE
            and unit is not None
            and (state is not FigureState.PUBLISHED or number is not None),
            respondent_count=int(count) if is_count and count is not None else None,
            respondent_band=respondents if is_band else None,
        )

    def date_fact(
        self, record_number: int, source: Source, response_ref: str | None, service_slug: str | None
    ) -> DateFact:
        submitted = source.mapping.submitted_on
        if submitted is None:
            return DateFact(record_number, response_ref, service_slug, None, None)
        number = None
        if submitted.sequence:
            found = re.search(submitted.sequence.pattern, self.name(submitted.sequence.column) or "")
            number = int(found[1]) if found and found[1] and found[1].isdecimal() else None
            number = None if number is not None and number > LARGEST_SEQUENCE_NUMBER else number
        return DateFact(record_number, response_ref, service_slug, self.name(submitted.column), number)

    def answer(self, answer: AnswerField) -> Answer:
        text = self.text(answer.column)
        key = loose_key(text or "")
        number: float | None = None
        code: str | None = None
        state, is_documented = AnswerState.ANSWERED, True
        if text is None or key in answer.missing_keys:
            state = AnswerState.MISSING
        elif key in answer.not_applicable_keys:
            state = AnswerState.NOT_APPLICABLE
        elif answer.codes is not None:
            known = answer.values_by_key
            is_documented = key in known or (key := _without_zero_decimals(key)) in known
            code = answer.code_by_key[key] if is_documented else tidy(text)
            number = known.get(key)
        else:
            code, number = tidy(text), _number(text)
            scale = answer.number
            is_documented = number is not None and scale is not None and scale.min <= number <= scale.max
            number = number if is_documented else None
        return Answer(answer.instrument, answer.version, answer.item, number, code, state, is_documented)

    def comments(self, comments: list[CommentField], response_id: str | None) -> Iterator[Comment]:
        taken: set[str] = set()
        for declared in comments:
            if declared.optional and declared.column not in self._payload:
                continue
            text = _text(self._payload.get(declared.column), separator="\n") or ""
            is_error = text.startswith("#") and text.strip().lower() in FORMULA_ERRORS
            self.has_formula_error = self.has_formula_error or is_error
            slug, intent, is_declared = self._question(declared.question)
            while slug in taken:
                slug = f"{slug}_again"
            taken.add(slug)
            yield Comment(
                comment_id=stable_id(response_id, slug) if response_id else None,
                question_slug=slug,
                question_intent=intent,
                is_question_declared=is_declared,
                comment_text=text,
                is_blank=is_error or _is_invisible(text) or loose_key(text) in declared.blank_keys,
                has_control_character=_CONTROL_CHARACTER.search(text) is not None,
                has_markup=_MARKUP.search(text) is not None,
                has_formula_start=_FORMULA_START.match(text) is not None,
            )

    def _question(self, question: QuestionField) -> tuple[str, QuestionIntent, bool]:
        if question.slug and question.intent:
            return question.slug, question.intent, True
        text = self.text(question.column or "")
        if text is None:
            return UNNAMED_QUESTION, QuestionIntent.OPEN, False
        known = question.values_by_key
        declared = known.get(loose_key(text))
        return (
            (declared.slug, declared.intent, True)
            if declared
            else (slug_of(text), QuestionIntent.OPEN, False)
        )


def _content_sha256(record: DeliveredRecord, source: Source) -> str:
    """Hash what was delivered in the mapped columns: a new column that nobody reads makes no new content."""
    if isinstance(kept := record.payload.get(CONTENT_SHA256_KEY), str):
        return kept
    if Defect.UNREADABLE_LINE in record.defects:
        content = dict(record.payload)
    else:
        content = {}
        for column in source.mapping.columns:
            value = record.payload.get(column)
            if text := value if isinstance(value, str) else _text(value):
                content[column] = text
        if record.payload.get(WITHDRAWN_KEY):
            # Else the withdrawal of a record without answers would be taken for the record again.
            content[WITHDRAWN_KEY] = "true"
    return hashlib.sha256(_CANONICAL(content).encode()).hexdigest()


def _text(value: Any, separator: str = "; ") -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case list():
            return separator.join(text for part in value if (text := _text(part, separator)))
        case dict():
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        case _:
            return str(value)


def _undeclared_value(attribute: AttributeField, text: str, key: str) -> Any:
    match attribute:
        case QuintileField():
            return int(key) if key in {"1", "2", "3", "4", "5"} else None
        case YesNoField():
            return _YES_NO.get(key)
        case LanguageField():
            primary = key.replace("_", "-").split("-")[0]
            return primary if re.match(LANGUAGE_PATTERN, primary) else None
        case _:
            return tidy(text)


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ".") if "." not in text else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@lru_cache(maxsize=1_024)
def _day(text: str, formats: tuple[str, ...]) -> date | None:
    for form in formats:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 (a day has no time zone)
        except ValueError:
            continue
    return None


def _published_number(text: str, unit: FigureUnit | None) -> float | None:
    """Return the number that a publisher wrote: 1,234 is a thousand and some, 95% is 95."""
    plain = text.strip()
    if unit is FigureUnit.PERCENT:
        plain = plain.removesuffix("%").rstrip()
    return _number(plain.replace(",", "") if _THOUSANDS.fullmatch(plain) else plain)


def _is_overlong(reference: str | None) -> bool:
    # Counted in bytes only where they may be too many.
    return (
        reference is not None
        and len(reference) * 4 > LONGEST_REFERENCE_BYTES
        and len(reference.encode("utf-8", "surrogatepass")) > LONGEST_REFERENCE_BYTES
    )


def _without_zero_decimals(text: str) -> str:
    return re.sub(r"^(-?\d+)[.,]0+$", r"\1", text)


def _is_invisible(text: str) -> bool:
    return not text.strip(" \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff") or not text.strip()
