"""The sample files: they can be made anew, the declaration reads them, and what was planted is there."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from make_samples import make_samples
from sample_sources.bank import Bank, load_bank
from sample_sources.planting import CHECK_OF_DEFECT

from patient_feedback.sources.dates import DateFact, DateReading, resolve_dates
from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.sources.mapping import MappedRecord, map_record
from patient_feedback.sources.reading import read_records

PHONE_CHANGE = date(2025, 11, 1)
CARE_CONVERSATIONS = date(2025, 9, 1)


@dataclass(frozen=True)
class Delivered:
    source: Source
    file_name: str
    is_declared_encoding: bool
    records: tuple[MappedRecord, ...]
    dates: dict[int, DateReading]


@pytest.fixture(scope="module")
def samples(project_dir: Path) -> Path:
    return project_dir / "samples"


@pytest.fixture(scope="module")
def bank(samples: Path) -> Bank:
    return load_bank(samples / "bank")


@pytest.fixture(scope="module")
def deliveries(project_dir: Path) -> list[Delivered]:
    found = []
    for source in load_sources(project_dir / "dags" / "sources.yml", check_paths=True):
        for path in sorted(Path(source.where.path).glob(source.where.pattern or "*")):
            with path.open("rb") as stream:
                delivered = read_records(stream, source)
                records = tuple(
                    map_record(record, source, lambda ref: f"key of {ref}") for record in delivered.records
                )
            date_of = resolve_dates(partial(_date_facts, records), source)
            dates = {record.record_number: date_of(record.date_fact) for record in records}
            found.append(Delivered(source, path.name, delivered.is_declared_encoding, records, dates))
    return found


def _date_facts(records: Iterable[MappedRecord]) -> list[DateFact]:
    return [record.date_fact for record in records]


@pytest.fixture(scope="module")
def planted(samples: Path) -> list[dict[str, str]]:
    with (samples / "planted" / "defects.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_samples_made_anew_are_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    make_samples(samples / "bank", tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path: (samples / path).read_bytes() for path in made}
    assert [str(path) for path in made if made[path] != kept[path]] == []
    folders = {path.parts[0] for path in made}
    on_disk = {
        path.relative_to(samples)
        for name in folders
        for path in (samples / name).rglob("*")
        if path.is_file()
    }
    assert on_disk == set(made)


def test_every_comment_of_the_bank_is_delivered(bank: Bank, deliveries: list[Delivered]) -> None:
    delivered = Counter(
        comment.comment_text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        for delivery in deliveries for record in delivery.records for comment in record.comments
    )  # fmt: skip
    missing = [entry.text for entry in bank.entries() if entry.text not in delivered]
    assert missing == []
    # A repeated, edited or withdrawn record bears its text once more; nothing else may.
    assert sum(delivered[entry.text] > 1 for entry in bank.entries()) <= 15


def test_records_and_their_spread_are_as_promised(deliveries: list[Delivered]) -> None:
    records = Counter()
    for delivery in deliveries:
        records[delivery.source.slug] += len(delivery.records)
    assert 1_000 <= records["riverside_fft"] <= 1_400
    assert records["norrsjo_questionnaire"] >= 300
    assert records["care_board_complaints"] >= 120
    months = {
        reading.submitted_on.strftime("%Y-%m")
        for delivery in deliveries for reading in delivery.dates.values()
        if reading.submitted_on and reading.submitted_on.year < 2027
    }  # fmt: skip
    assert months == {f"{year}-{month:02}" for year in (2024, 2025, 2026) for month in range(1, 13)} - {
        *(f"2024-{month:02}" for month in range(1, 10)), "2026-10", "2026-11", "2026-12",
    }  # fmt: skip


def test_two_in_three_ratings_are_positive(deliveries: list[Delivered]) -> None:
    ratings = [rating for _, _, rating in _ratings(deliveries).values()]
    assert 0.62 <= sum(rating <= 2 for rating in ratings) / len(ratings) <= 0.76


def test_defects_are_where_they_were_planted_and_nowhere_else(
    deliveries: list[Delivered], planted: list[dict[str, str]]
) -> None:
    seen: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for delivery in deliveries:
        if not delivery.is_declared_encoding:
            seen["other_encoding"].add((delivery.file_name, 0))
        for record in delivery.records:
            for defect in _seen_in(record, delivery.dates[record.record_number]):
                seen[defect].add((delivery.file_name, record.record_number))
    expected: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for row in planted:
        name = SEEN_AS.get(row["defect"], row["defect"])
        expected[name].add((row["file_name"], int(row["record_number"])))
    expected["missing_record_ref"] |= expected["unreadable_line"]
    expected["unreadable_date"] |= expected["unreadable_line"]
    expected["unknown_attribute_value"] |= expected["row_too_wide"]
    expected["spreadsheet_error"] |= expected["spreadsheet_error_in_comment"]
    assert {name: expected[name] for name in seen} == seen
    assert set(SEEN_AS.values()) | SEEN_BY_NAME == set(seen)


SEEN_AS = {"month_first_date": "alternative_format", "date_as_text": "alternative_format"}
SEEN_BY_NAME = {
    "answer_out_of_range",
    "control_character_in_comment",
    "damaged_encoding_in_comment",
    "day_and_month_swapped",
    "formula_in_comment",
    "future_date",
    "markup_in_comment",
    "missing_record_ref",
    "month_first_date_that_reads_both_ways",
    "no_break_space_in_service",
    "other_encoding",
    "row_too_narrow",
    "row_too_wide",
    "spreadsheet_error",
    "sql_in_comment",
    "undeclared_question",
    "undocumented_rating",
    "unknown_attribute_value",
    "unreadable_date",
    "unreadable_line",
}
NAME_OF_READERS_DEFECT = {
    "too_many_columns": "row_too_wide",
    "too_few_columns": "row_too_narrow",
    "unreadable_line": "unreadable_line",
}


def _seen_in(record: MappedRecord, reading: DateReading) -> set[str]:
    undocumented = "undocumented_rating" if record.source_slug == "riverside_fft" else "answer_out_of_range"
    text = " ".join(comment.comment_text for comment in record.comments)
    told = {
        "missing_record_ref": record.source_record_ref is None,
        "unreadable_date": str(reading.basis) == "unreadable",
        "alternative_format": str(reading.basis) == "alternative_format",
        "future_date": reading.submitted_on is not None and reading.submitted_on > date(2026, 12, 31),
        "day_and_month_swapped": reading.is_conflicting,
        "month_first_date_that_reads_both_ways": reading.is_doubtful,
        "no_break_space_in_service": record.has_untidy_space,
        "spreadsheet_error": record.has_formula_error,
        "unknown_attribute_value": bool(record.unmapped_fields),
        undocumented: any(not answer.is_documented for answer in record.answers),
        "control_character_in_comment": any(comment.has_control_character for comment in record.comments),
        "markup_in_comment": any(comment.has_markup for comment in record.comments),
        "formula_in_comment": any(comment.has_formula_start for comment in record.comments),
        "undeclared_question": any(not comment.is_question_declared for comment in record.comments),
        "damaged_encoding_in_comment": bool(re.search("[\u00c3\u00e2][\u0080-\u20ff]", text)),
        "sql_in_comment": "DROP TABLE" in text,
    }
    return {name for name, is_so in told.items() if is_so} | {
        NAME_OF_READERS_DEFECT[name] for name in record.defects
    }


def test_swapped_dates_are_decided_rightly_by_the_declared_rules(deliveries: list[Delivered]) -> None:
    """The first of the two rows bears the true date, day first."""
    decided = [
        (delivery.dates[record.record_number].submitted_on, record.date_fact.raw)
        for delivery in deliveries for record in delivery.records
        if delivery.dates[record.record_number].is_conflicting
        and str(record.source_record_ref).endswith("Q1")
    ]  # fmt: skip
    assert len(decided) == 5
    assert [raw for day, raw in decided if day is None or day.strftime("%d/%m/%Y") != raw] == []


def test_readme_lists_every_planted_defect_with_its_count_and_check(
    samples: Path, planted: list[dict[str, str]]
) -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\d+)(?: file)? \| ([^|]+) \|",
        (samples / "README.md").read_text("utf-8"),
        re.M,
    )
    listed = {(defect, source): int(count) for defect, source, count, _ in rows}
    assert listed == Counter((row["defect"], row["source_slug"]) for row in planted)
    assert {(defect, check if check.startswith("FB-") else "") for defect, _, _, check in rows} == {
        (defect, check) for defect, check in CHECK_OF_DEFECT.items()
    }


def test_readme_counts_identifiers_and_comments_rightly(samples: Path, bank: Bank) -> None:
    readme = " ".join((samples / "README.md").read_text("utf-8").split())
    with (samples / "planted" / "identifiers.csv").open(encoding="utf-8", newline="") as stream:
        identifiers = len(list(csv.DictReader(stream)))
    holding = sum(bool(entry.identifiers) for entry in bank.entries())
    assert f"{holding} comments hold {identifiers} identifiers" in readme
    english = len(bank.fft + bank.survey_en + bank.complaints)
    assert f"{english} distinct English and {len(bank.survey_sv)} distinct Swedish comments" in readme


def test_checks_named_for_planted_defects_exist(project_dir: Path) -> None:
    suites = "".join(
        path.read_text("utf-8") for path in (project_dir / "expectations" / "suites").glob("landing__*.yml")
    )
    assert [check for check in CHECK_OF_DEFECT.values() if check and f"id: {check}" not in suites] == []


def test_urgent_treatment_centre_gets_worse_after_its_phone_change(
    deliveries: list[Delivered], samples: Path
) -> None:
    before, after = _positive_shares(deliveries, "urgent_treatment_centre", PHONE_CHANGE)
    assert before.share - after.share >= 0.2
    readme = " ".join((samples / "README.md").read_text("utf-8").split())
    assert f"from {before} to {after}" in readme


def test_maternity_gets_better_after_its_care_conversations(
    deliveries: list[Delivered], samples: Path
) -> None:
    before, after = _positive_shares(deliveries, "maternity", CARE_CONVERSATIONS)
    assert after.share - before.share >= 0.2
    readme = " ".join((samples / "README.md").read_text("utf-8").split())
    assert f"from {before} to {after}" in readme


def test_shared_decisions_with_midwives_improve_in_groups_large_enough_to_report(
    deliveries: list[Delivered],
) -> None:
    means: dict[bool, list[float]] = {False: [], True: []}
    for delivery in deliveries:
        for record in delivery.records:
            day = delivery.dates[record.record_number].submitted_on
            values = [a.value_number for a in record.answers if a.instrument_slug == "collaborate"]
            numbers = [value for value in values if value is not None and 0 <= value <= 9]
            if record.service[0] == "barnmorskemottagning" and day and len(numbers) == 3:
                means[day >= date(2025, 10, 1)].append(sum(numbers) / 3)
    before, after = means[False], means[True]
    assert len(before) >= 25
    assert len(after) >= 25
    assert sum(after) / len(after) - sum(before) / len(before) >= 1


def _ratings(deliveries: list[Delivered]) -> dict[str, tuple[str | None, date | None, float]]:
    """Return service, day and rating of each response of the Friends and Family Test."""
    return {
        record.response_id: (
            record.service[0], delivery.dates[record.record_number].submitted_on, answer.value_number,
        )
        for delivery in deliveries for record in delivery.records for answer in record.answers
        if answer.instrument_slug == "fft" and answer.value_number is not None and record.response_id
    }  # fmt: skip


@dataclass(frozen=True)
class Count:
    positive: int
    total: int

    @property
    def share(self) -> float:
        return self.positive / self.total

    def __str__(self) -> str:
        return f"{self.positive} of {self.total} ({self.share:.0%})".replace("%)", " %)")


def _positive_shares(deliveries: list[Delivered], service: str, change: date) -> tuple[Count, Count]:
    ratings = [
        (day, rating) for code, day, rating in _ratings(deliveries).values() if code == service and day
    ]

    def count(told: list[float]) -> Count:
        return Count(sum(rating <= 2 for rating in told), len(told))

    before = count([rating for day, rating in ratings if day < change])
    return before, count([rating for day, rating in ratings if change <= day <= date(2026, 12, 31)])
