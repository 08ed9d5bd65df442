"""Dates are read as declared; where two records contradict each other, a declared rule decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patient_feedback.contract import DateBasis
from patient_feedback.sources.dates import DateFact, DateReading, resolve_dates

BOTH = ["%d/%m/%Y", "%m/%d/%Y"]
ALL_RULES = ["collected_between", "nearest_in_sequence", "first_format"]


def resolved(
    declare: Any, facts: list[DateFact], kind: str = "csv_file", **submitted: Any
) -> list[DateReading]:
    submitted_on = {"column": "date", "formats": BOTH} | submitted
    reading = resolve_dates(lambda: facts, declare({"submitted_on": submitted_on}, kind=kind))
    return [reading(fact) for fact in facts]


def response(*raws: str, ref: str = "r", number: int | None = None, start: int = 1) -> list[DateFact]:
    return [DateFact(start + index, ref, "ward", raw, number) for index, raw in enumerate(raws)]


def lone(raw: str | None) -> list[DateFact]:
    return [DateFact(1, "r", "ward", raw, None)]


def test_usual_format_is_read_without_a_word(declare: Any) -> None:
    (reading,) = resolved(declare, lone(" 3/10/2021 "))
    assert reading == DateReading(date(2021, 10, 3), None, DateBasis.DECLARED)


def test_date_that_only_a_later_format_reads_says_which(declare: Any) -> None:
    (reading,) = resolved(declare, lone("10/13/2021"))
    assert (reading.submitted_on, reading.basis) == (date(2021, 10, 13), DateBasis.ALTERNATIVE_FORMAT)
    assert reading.note == "read as %m/%d/%Y: %d/%m/%Y gives no date"


@pytest.mark.parametrize(
    "raw", [None, "", "  ", "31/02/2021", "yesterday", "32/13/2021", "2021-10-03", "99/99/9999"]
)
def test_text_that_is_no_date_gives_none_and_no_error(declare: Any, raw: str | None) -> None:
    (reading,) = resolved(declare, lone(raw))
    assert (reading.submitted_on, reading.basis) == (None, DateBasis.UNREADABLE)
    assert reading.note
    assert raw is None or not raw.strip() or raw not in reading.note


def test_time_of_day_is_kept_in_utc_and_the_day_is_the_local_one(declare: Any) -> None:
    (reading,) = resolved(
        declare, lone("2025-07-01 00:30"), formats=["%Y-%m-%d %H:%M"], timezone="Europe/Stockholm"
    )
    assert reading.submitted_on == date(2025, 7, 1)
    assert reading.submitted_at == datetime(2025, 6, 30, 22, 30, tzinfo=UTC)
    (reading,) = resolved(
        declare, lone("2025-06-30T23:30:00Z"), formats=["%Y-%m-%dT%H:%M:%S%z"], timezone="Europe/Stockholm"
    )
    assert reading.submitted_on == date(2025, 7, 1)


def test_date_cell_of_a_workbook_needs_no_declared_format(declare: Any) -> None:
    readings = resolved(declare, response("2021-10-03", "03/10/2021"), kind="xlsx_file", formats=["%d/%m/%Y"])
    assert {(reading.submitted_on, reading.basis) for reading in readings} == {
        (date(2021, 10, 3), DateBasis.DECLARED)
    }
    assert not any(reading.is_conflicting for reading in readings)


def test_swapped_dates_with_one_valid_reading_take_it_and_both_are_flagged(declare: Any) -> None:
    usual, other = resolved(declare, response("30/09/2022", "9/30/2022"))
    assert usual.submitted_on == other.submitted_on == date(2022, 9, 30)
    assert (usual.basis, other.basis) == (DateBasis.DECLARED, DateBasis.ALTERNATIVE_FORMAT)
    assert usual.is_conflicting
    assert other.is_conflicting


def test_swapped_date_is_found_where_only_one_format_is_declared(declare: Any) -> None:
    usual, other = resolved(declare, response("30/09/2022", "09/30/2022"), formats=["%d/%m/%Y"])
    assert usual.submitted_on == other.submitted_on == date(2022, 9, 30)
    assert other.basis == DateBasis.CONFLICT_RULE
    assert other.is_conflicting


def test_time_of_collection_decides_where_one_reading_lies_outside(declare: Any) -> None:
    readings = resolved(
        declare,
        response("10/03/2021", "03/10/2021"),
        collected_from="2021-04-01",
        collected_until="2022-09-30",
        conflict_rules=["collected_between", "first_format"],
    )
    assert {reading.submitted_on for reading in readings} == {date(2021, 10, 3)}
    assert {reading.basis for reading in readings} == {DateBasis.CONFLICT_RULE}
    assert all("2021-03-10 and 2021-10-03" in str(reading.note) for reading in readings)
    assert all("collected_between took 2021-10-03" in str(reading.note) for reading in readings)


def neighbours(start: date = date(2021, 1, 13), count: int = 12, step_days: int = 30) -> list[DateFact]:
    """Records numbered 0, 10, 20 ... with dates that have one reading only, about a month apart."""
    facts = []
    for index in range(count):
        day = start + timedelta(days=step_days * index)
        day = day.replace(day=max(day.day, 13))
        facts.append(DateFact(1000 + index, f"n{index}", "ward", day.strftime("%d/%m/%Y"), index * 10))
    return facts


SEQUENCE: dict[str, Any] = {
    "sequence": {"column": "id"},
    "collected_from": "2021-01-01",
    "conflict_rules": ALL_RULES,
}


@pytest.mark.parametrize(("number", "expected"), [(22, date(2021, 3, 10)), (88, date(2021, 10, 3))])
def test_neighbours_decide_where_both_readings_are_possible(
    declare: Any, number: int, expected: date
) -> None:
    conflict = response("10/03/2021", "03/10/2021", number=number)
    readings = resolved(declare, [*conflict, *neighbours()], **SEQUENCE)[:2]
    assert {reading.submitted_on for reading in readings} == {expected}
    assert all(f"nearest_in_sequence took {expected}" in str(reading.note) for reading in readings)


def test_neighbours_of_another_service_do_not_count(declare: Any) -> None:
    conflict = [DateFact(n, "r", "clinic", raw, 22) for n, raw in enumerate(("03/10/2021", "10/03/2021"))]
    readings = resolved(declare, [*conflict, *neighbours()], **SEQUENCE)[:2]
    assert {reading.submitted_on for reading in readings} == {date(2021, 10, 3)}
    assert all("first_format took" in str(reading.note) for reading in readings)


def test_one_wrong_neighbour_does_not_mislead(declare: Any) -> None:
    wrong = DateFact(5000, "w", "ward", "30/10/2021", 23)
    conflict = response("10/03/2021", "03/10/2021", number=22)
    readings = resolved(declare, [*conflict, wrong, *neighbours()], **SEQUENCE)[:2]
    assert {reading.submitted_on for reading in readings} == {date(2021, 3, 10)}


def test_lone_date_against_its_neighbours_is_kept_and_marked_doubtful(declare: Any) -> None:
    facts = [*response("10/03/2021", number=88), *neighbours()]
    doubtful, *others = resolved(declare, facts, **SEQUENCE)
    assert doubtful.submitted_on == date(2021, 3, 10)
    assert doubtful.is_doubtful
    assert doubtful.basis == DateBasis.DECLARED
    assert not any(reading.is_doubtful for reading in others)
    fitting, *_ = resolved(declare, [*response("10/03/2021", number=22), *neighbours()], **SEQUENCE)
    assert not fitting.is_doubtful


def test_dates_that_differ_otherwise_are_no_swap(declare: Any) -> None:
    readings = resolved(declare, response("03/10/2021", "04/10/2021", "03/10/2021"))
    assert [reading.submitted_on.day for reading in readings if reading.submitted_on] == [3, 4, 3]
    assert not any(reading.is_conflicting for reading in readings)


def test_same_dates_of_different_responses_are_no_conflict(declare: Any) -> None:
    facts = [*response("03/10/2021", ref="a"), *response("10/03/2021", ref="b", start=2)]
    facts += [DateFact(3, None, "ward", "03/10/2021", None), DateFact(4, None, "ward", "10/03/2021", None)]
    assert not any(reading.is_conflicting for reading in resolved(declare, facts))


def test_source_without_dates_says_so(declare: Any) -> None:
    [fact] = lone("03/10/2021")
    reading = resolve_dates(lambda: [fact], declare())(fact)
    assert (reading.submitted_on, reading.note) == (None, "the declaration maps no date")


days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@settings(max_examples=200, deadline=None)
@given(day=days, padded=st.booleans())
def test_any_date_delivered_in_both_orders_gets_one_of_its_two_readings(
    declare: Any, day: date, padded: bool
) -> None:
    width = "02" if padded else ""
    raws = [
        f"{day.day:{width}}/{day.month:{width}}/{day.year}",
        f"{day.month:{width}}/{day.day:{width}}/{day.year}",
    ]
    one, other = resolved(declare, response(*raws))
    assert one.submitted_on == other.submitted_on
    possible = {day} | ({date(day.year, day.day, day.month)} if day.day <= 12 else set())
    assert one.submitted_on in possible
    is_told_apart = day.day != day.month
    assert one.is_conflicting == other.is_conflicting == is_told_apart


@settings(max_examples=100, deadline=None)
@given(
    raws=st.lists(st.one_of(st.text(max_size=12), days.map(lambda day: day.strftime("%d/%m/%Y"))), max_size=6)
)
def test_any_text_gives_a_reading_and_readable_dates_are_not_lost(declare: Any, raws: list[str]) -> None:
    facts = [DateFact(number, "r", None, raw, number) for number, raw in enumerate(raws)]
    for fact, reading in zip(facts, resolved(declare, facts, **SEQUENCE), strict=True):
        assert (reading.submitted_on is None) == (reading.basis == DateBasis.UNREADABLE), fact
