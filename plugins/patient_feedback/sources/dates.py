"""Reads the dates of a delivery: declared formats first, then what the records say about one another."""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from patient_feedback.contract import DateBasis
from patient_feedback.sources.declaration import Source, SourceKind
from patient_feedback.sources.field_mapping import ConflictRule, SubmittedField
from patient_feedback.sources.spelling import tidy

NEIGHBOUR_COUNT = 5
"""Unambiguous dates that vouch for one: their median bears two wrong ones among them."""
DOUBTFUL_DISTANCE_DAYS = 45
"""A date at least so far from its neighbours is doubtful ..."""
PLAUSIBLE_DISTANCE_DAYS = 15
"""... where its swapped reading is at most so far."""

_WORKBOOK_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")
_NO_DATE = "no date was delivered"


@dataclass(frozen=True, slots=True)
class DateFact:
    """What a record says about its date, and what can vouch for it."""

    record_number: int
    response_ref: str | None
    service_slug: str | None
    raw: str | None
    sequence_number: int | None


@dataclass(frozen=True, slots=True)
class DateReading:
    """The date of a record's response; `submitted_at` (UTC) only where a time of day was delivered."""

    submitted_on: date | None
    submitted_at: datetime | None
    basis: DateBasis
    note: str | None = None
    is_conflicting: bool = False
    """The records of the response bear dates that differ by day and month swapped."""
    is_doubtful: bool = False
    """Far from its neighbours in the source's sequence, while the swapped reading is near them."""


@dataclass(frozen=True, slots=True)
class _Readings:
    """All that one delivered text can mean."""

    declared: DateReading
    format: str | None
    """The declared format that gave the date."""
    dates: frozenset[date]
    """By every declared format and by those with day and month swapped."""

    @property
    def swapped(self) -> date | None:
        others = [day for day in self.dates if day != self.declared.submitted_on]
        return others[0] if len(others) == 1 else None


@dataclass(slots=True)
class _Sequence:
    """The unambiguous dates of one service, by sequence number."""

    numbers: array[int]
    ordinals: array[int]

    def expected(self, number: int) -> int | None:
        """Return the median day (ordinal) of the nearest numbers, None without any."""
        right = bisect_left(self.numbers, number)
        left = right - 1
        nearest: list[int] = []
        while len(nearest) < NEIGHBOUR_COUNT and (left >= 0 or right < len(self.numbers)):
            is_left_nearer = right >= len(self.numbers) or (
                left >= 0 and number - self.numbers[left] <= self.numbers[right] - number
            )
            nearest.append(self.ordinals[left if is_left_nearer else right])
            left, right = (left - 1, right) if is_left_nearer else (left, right + 1)
        return statistics.median_low(nearest) if nearest else None


def resolve_dates(
    facts: Callable[[], Iterable[DateFact]], source: Source
) -> Callable[[DateFact], DateReading]:
    """Return what reads the date of each record's fact.

    Where records of one response bear dates that differ by day and month swapped, all of them get the same
    date: the only valid reading, else the one that the declaration's conflict_rules choose. A lone date that
    its neighbours in the sequence contradict is kept as read and marked doubtful. `facts` gives those of the whole
    delivery, each time it is called; a few numbers of each are held, and the facts of conflicts.
    """
    field = source.mapping.submitted_on
    if field is None:
        unmapped = DateReading(None, None, DateBasis.UNREADABLE, "the declaration maps no date")
        return lambda _: unmapped
    read = _reader(field, source.kind)
    conflicting, sequences = _compared(facts(), read)

    def expected(fact: DateFact) -> int | None:
        if fact.sequence_number is None or fact.service_slug not in sequences:
            return None
        return sequences[fact.service_slug].expected(fact.sequence_number)

    chosen: dict[int, DateReading] = {}
    if conflicting:
        compared = [fact for fact in facts() if _conflict_key(fact, read(fact.raw)) in conflicting]
        for group in _conflicts(compared, read):
            readings = _chosen(group, read, field, expected)
            chosen.update((fact.record_number, one) for fact, one in zip(group, readings, strict=True))

    def reading(fact: DateFact) -> DateReading:
        declared = read(fact.raw).declared
        if fact.record_number in chosen:
            return chosen[fact.record_number]
        if field.sequence is None or not _is_doubtful(read(fact.raw), expected(fact)):
            return declared
        note = "far from its neighbours in the sequence, day and month swapped it would be near"
        note = f"{declared.note}; {note}" if declared.note else note
        return replace(declared, is_doubtful=True, note=note)

    return reading


def _compared(
    facts: Iterable[DateFact], read: Callable[[str | None], _Readings]
) -> tuple[frozenset[int], dict[str | None, _Sequence]]:
    """Return the keys under which differing texts may mean one date, and each service's unambiguous dates."""
    import numpy as np

    keys, texts = array("q"), array("q")
    days: dict[str | None, tuple[array[int], array[int]]] = {}
    for fact in facts:
        readings = read(fact.raw)
        if fact.response_ref is not None and readings.dates:
            keys.append(_conflict_key(fact, readings))
            texts.append(hash(fact.raw))
        if fact.sequence_number is not None and len(readings.dates) == 1:
            numbers, ordinals = days.setdefault(fact.service_slug, (array("q"), array("q")))
            numbers.append(fact.sequence_number)
            ordinals.append(next(iter(readings.dates)).toordinal())
    by_key, by_text = np.array(keys, np.int64), np.array(texts, np.int64)
    order = np.lexsort((by_text, by_key))
    by_key, by_text = by_key[order], by_text[order]
    differing = (by_key[1:] == by_key[:-1]) & (by_text[1:] != by_text[:-1])
    sequences = {}
    for service, (numbers, ordinals) in days.items():
        # Of two dates under one number the first counts.
        distinct, firsts = np.unique(np.array(numbers, np.int64), return_index=True)
        taken = np.array(ordinals, np.int64)[firsts]
        sequences[service] = _Sequence(array("q", distinct.tobytes()), array("q", taken.tobytes()))
    return frozenset(by_key[1:][differing].tolist()), sequences


def _conflict_key(fact: DateFact, readings: _Readings) -> int:
    return hash((fact.response_ref, readings.dates))


def _reader(field: SubmittedField, kind: SourceKind) -> Callable[[str | None], _Readings]:
    formats = list(field.formats)
    if kind is SourceKind.XLSX_FILE:
        # The reader itself writes date cells so; they need no declaration.
        formats = [*(form for form in _WORKBOOK_FORMATS if form not in formats), *formats]
    usual = 1 + len(formats) - len(field.formats)
    zone = ZoneInfo(field.timezone)
    variants = [swapped for form in formats if (swapped := _swapped_format(form)) and swapped not in formats]

    @lru_cache(maxsize=2**16)
    def read(raw: str | None) -> _Readings:
        text = tidy(raw or "")
        if not text:
            return _Readings(DateReading(None, None, DateBasis.UNREADABLE, _NO_DATE), None, frozenset())
        found = [(form, moment) for form in formats if (moment := _parsed(text, form, zone))]
        dates = {moment.date() for _, moment in found}
        dates |= {moment.date() for form in variants if (moment := _parsed(text, form, zone))}
        if not found:
            note = f"{' and '.join(field.formats)} give no date"
            return _Readings(DateReading(None, None, DateBasis.UNREADABLE, note), None, frozenset(dates))
        form, moment = found[0]
        submitted_at = moment.astimezone(UTC) if "%H" in form or "%I" in form else None
        if formats.index(form) < usual:
            reading = DateReading(moment.date(), submitted_at, DateBasis.DECLARED)
        else:
            note = f"read as {form}: {field.formats[0]} gives no date"
            reading = DateReading(moment.date(), submitted_at, DateBasis.ALTERNATIVE_FORMAT, note)
        return _Readings(reading, form, frozenset(dates))

    return read


def _parsed(text: str, form: str, zone: ZoneInfo) -> datetime | None:
    """Return the moment in the declared zone."""
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def _swapped_format(form: str) -> str | None:
    if "%d" not in form or "%m" not in form:
        return None
    return form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _is_doubtful(readings: _Readings, expected: int | None) -> bool:
    swapped, submitted_on = readings.swapped, readings.declared.submitted_on
    if expected is None or swapped is None or submitted_on is None:
        return False
    return (
        abs(submitted_on.toordinal() - expected) > DOUBTFUL_DISTANCE_DAYS
        and abs(swapped.toordinal() - expected) <= PLAUSIBLE_DISTANCE_DAYS
    )


def _conflicts(
    facts: Sequence[DateFact], read: Callable[[str | None], _Readings]
) -> Iterable[list[DateFact]]:
    """Yield the records of each response whose dates are one another with day and month swapped."""
    groups: dict[tuple[str, frozenset[date]], list[DateFact]] = {}
    for fact in facts:
        dates = read(fact.raw).dates
        if fact.response_ref is not None and dates:
            groups.setdefault((fact.response_ref, dates), []).append(fact)
    for group in groups.values():
        if len(group) < 2:
            continue
        readings = [read(fact.raw) for fact in group]
        formats = {each.format for each in readings if each.format}
        if (
            len({each.declared.submitted_on for each in readings}) > 1
            or any(_swapped_format(form) in formats - {form} for form in formats)
        ):  # fmt: skip
            yield group


def _chosen(
    group: list[DateFact],
    read: Callable[[str | None], _Readings],
    field: SubmittedField,
    expected: Callable[[DateFact], int | None],
) -> list[DateReading]:
    """Return the readings of a conflict's records: the same date for all."""
    delivered = [read(fact.raw) for fact in group]
    dates = sorted(delivered[0].dates)
    if len(dates) == 1:
        note = "the records of the response bear it with day and month in both orders; only one is a date"
        return [
            replace(
                each.declared,
                submitted_on=dates[0],
                basis=DateBasis.CONFLICT_RULE if each.format is None else each.declared.basis,
                note=f"{each.declared.note}; {note}" if each.declared.note and each.format else note,
                is_conflicting=True,
            )
            for each in delivered
        ]
    day, rule = _by_rules(group, delivered, dates, field, expected)
    listed = " and ".join(map(str, dates))
    note = f"the records of the response bear {listed}, day and month swapped; {rule} took {day}"
    return [
        DateReading(
            day,
            each.declared.submitted_at if each.declared.submitted_on == day else None,
            DateBasis.CONFLICT_RULE,
            note,
            is_conflicting=True,
        )
        for each in delivered
    ]


def _by_rules(
    group: list[DateFact],
    delivered: list[_Readings],
    dates: list[date],
    field: SubmittedField,
    expected: Callable[[DateFact], int | None],
) -> tuple[date, ConflictRule]:
    for rule in field.conflict_rules:
        if rule is ConflictRule.COLLECTED_BETWEEN:
            first, last = field.collected_from or date.min, field.collected_until or date.max
            inside = [day for day in dates if first <= day <= last]
            if len(inside) == 1:
                return inside[0], rule
        elif rule is ConflictRule.NEAREST_IN_SEQUENCE:
            near = next((day for fact in group if (day := expected(fact)) is not None), None)
            if near is not None:
                by_distance = sorted(dates, key=lambda day: abs(day.toordinal() - near))
                if abs(by_distance[0].toordinal() - near) < abs(by_distance[1].toordinal() - near):
                    return by_distance[0], rule
        else:
            break
    usual = next((each.declared.submitted_on for each in delivered if each.declared.submitted_on), dates[0])
    return usual, ConflictRule.FIRST_FORMAT
