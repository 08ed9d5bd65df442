"""Edits, withdrawals and changed declarations over several deliveries: what is kept, and that a second pass keeps it."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from patient_feedback.orchestration.acceptance import accept_delivery
from patient_feedback.orchestration.candidates import compare_with_accepted, map_delivery
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source, load_sources
from patient_feedback.warehouse.connection import connect

HEADER = ("id", "person", "status", "version", "date", "words", "subjects")
NOON = 1_750_000_000


class Desk:
    """One source whose deliveries are decided one by one, without the gate and with a redaction that does nothing."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.deliveries = settings, folder, folder / "deliveries"
        self.deliveries.mkdir()
        self.source = self.declare()

    def declare(
        self, question: str = "open", record_ref: str = "id", format: dict | None = None, **mapping: Any
    ) -> Source:
        declaration = {
            "slug": "desk",
            "label": "Desk",
            "kind": "csv_file",
            "owner": "desk@example.org",
            "where": {"path": "deliveries", "settle_seconds": 0},
            "language": "en",
            "format": format or {},
            "mapping": {
                "record_ref": {"column": record_ref},
                "response_ref": {"column": "person"},
                "withdrawn": {"column": "status", "values": ["withdrawn"]},
                "submitted_on": {"column": "date", "formats": ["%Y-%m-%d"]},
                "organisation": {"constant": {"slug": "north", "name": "North"}},
                "comments": [{"column": "words", "question": {"slug": question, "intent": "open"}}],
                **mapping,
            },
        }
        path = self.folder / "sources.yml"
        path.write_text(yaml.safe_dump({"sources": [declaration]}), encoding="utf-8")
        self.source = load_sources(path)[0]
        return self.source

    def deliver(self, name: str, *records: tuple[str, ...], at: int = NOON) -> list[str]:
        """Write (id, person, status, version, words and, if need be, subjects), land and decide; return what was decided."""
        path = self.deliveries / name
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = [(*record[:4], "2025-06-01", *(*record[4:], "")[:2]) for record in records]
            csv.writer(file).writerows([HEADER, *rows])
        os.utime(path, (at, at))
        return self.decide()

    def decide(self, delivery_ids: Sequence[str] = ()) -> list[str]:
        decided = list(delivery_ids) or land_source(self.settings, self.source, "run").delivery_ids
        for delivery_id in decided:
            map_delivery(self.settings, self.source, delivery_id)
            with connect(self.settings, "test") as connection:
                compare_with_accepted(connection, delivery_id)
            accept_delivery(
                self.settings,
                self.source,
                delivery_id,
                "run",
                lambda texts: [(text, 0) for text in texts],
                "1",
            )
        return decided

    def rows(self, query: str) -> list[tuple]:
        with connect(self.settings, "test") as connection:
            return connection.execute(query).fetchall()

    @property
    def words(self) -> list[str]:
        return [
            text for (text,) in self.rows("select comment_text from feedback.comment order by comment_text")
        ]

    @property
    def originals(self) -> list[str]:
        return [
            text for (text,) in self.rows("select original_text from restricted.comment_original order by 1")
        ]

    @property
    def subjects(self) -> list[tuple]:
        return self.rows(
            "select source_record_ref, subject_slug, subject_label, delivery_id, record_number, xmin::text "
            "from feedback.response_subject order by 1, 2"
        )

    @property
    def slugs(self) -> list[tuple]:
        return [subject[:2] for subject in self.subjects]

    @property
    def account(self) -> list[tuple]:
        return self.rows(
            "select file_name, record_number, record_state from landing.record inner join landing.delivery "
            "using (delivery_id) order by 1, 2"
        )


@pytest.fixture
def desk(warehouse: Settings, tmp_path: Path) -> Desk:
    return Desk(warehouse, tmp_path)


def again_unchanged(desk: Desk, *deliveries: list[str]) -> None:
    before = desk.words, desk.originals, desk.account, desk.subjects
    for delivery in deliveries:
        desk.decide(delivery)
        assert (desk.words, desk.originals, desk.account, desk.subjects) == before


def test_edit_in_a_file_of_the_same_moment_replaces_the_words(desk):
    first = desk.deliver("1.csv", ("a", "p", "", "", "The nurse was kind"))
    second = desk.deliver("2.csv", ("a", "p", "", "", "The nurse was very kind"))
    assert desk.words == desk.originals == ["The nurse was very kind"]
    again_unchanged(desk, first, second)


def test_higher_version_in_an_older_file_replaces_the_words(desk):
    desk.declare(record_version={"column": "version"})
    first = desk.deliver("1.csv", ("a", "p", "", "1", "Draft"), at=NOON)
    second = desk.deliver("2.csv", ("a", "p", "", "2", "Final"), at=NOON - 60)
    assert desk.words == ["Final"]
    again_unchanged(desk, first, second)


def test_backfill_of_a_repeated_and_of_a_reverted_record_keeps_the_account(desk):
    runs = [
        desk.deliver(f"{number}.csv", ("a", "p", "", "", words), ("b", "q", "", "", "Same"), at=NOON + number)
        for number, words in enumerate(("One", "One ", "Two", "One"), 1)
    ]
    repeated = desk.deliver("5.csv", ("c", "r", "", "", "New"), ("b", "q", "", "", "Same"), at=NOON + 5)
    desk.deliver("6.csv", ("b", "q", "", "", "Other"), at=NOON + 6)
    again_unchanged(desk, *runs, repeated)
    states = [state for name, number, state in desk.account if name == "5.csv"]
    assert states == ["accepted", "duplicate"]
    assert desk.rows("select count(*) from landing.candidate_record where is_older_than_accepted") == [(0,)]


def test_older_file_that_comes_late_is_found_again_when_the_check_is_repeated(desk):
    desk.deliver("new.csv", ("a", "p", "", "", "New"), at=NOON)
    (late,) = desk.deliver("late.csv", ("a", "p", "", "", "Old"), at=NOON - 60)
    desk.rows(f"update landing.record set record_state = 'pending' where delivery_id = '{late}' returning 1")
    for _ in range(2):  # a killed task compares anew, without mapping anew
        with connect(desk.settings, "test") as connection:
            compare_with_accepted(connection, late)
        assert desk.rows(
            f"select is_older_than_accepted from landing.candidate_record where delivery_id = '{late}'"
        ) == [(True,)]
    assert desk.words == ["New"]


def test_version_that_is_kept_back_does_not_silence_the_one_below(desk):
    desk.declare(record_version={"column": "version"})
    (delivery,) = desk.deliver("1.csv", ("a", "p", "", "1", "Good"), ("a", "p", "", "2", "Bad"))
    assert desk.words == ["Bad"]
    desk.rows(
        "insert into landing.set_aside (set_aside_id, delivery_id, record_number, set_aside_level, check_id, reason, "
        f"run_id) values ('s', '{delivery}', 2, 'record', 'FB-LND-999', 'test', 'run') returning 1"
    )
    desk.decide([delivery])
    assert desk.words == ["Good"]


def test_emptied_comment_loses_its_original_and_can_be_said_again(desk):
    first = desk.deliver("1.csv", ("a", "p", "", "", "The nurse was kind"), at=NOON)
    second = desk.deliver("2.csv", ("a", "p", "", "", ""), at=NOON + 1)
    assert (desk.words, desk.originals) == ([""], [])
    again_unchanged(desk, first, second)
    desk.deliver("3.csv", ("a", "p", "", "", "The nurse was kind"), ("b", "q", "", "", "x"), at=NOON + 2)
    assert desk.words == desk.originals == ["The nurse was kind", "x"]


def test_withdrawn_record_takes_back_the_words_of_its_response_for_good(desk):
    desk.declare(comments=[{"column": "words", "question": {"column": "version", "values": {
        "1": {"slug": "first", "intent": "open"}, "2": {"slug": "second", "intent": "open"}}}}])  # fmt: skip
    first = desk.deliver("1.csv", ("a", "p", "", "1", "Good"), ("b", "p", "", "2", "Bad"), at=NOON)
    assert desk.words == ["Bad", "Good"]
    second = desk.deliver("2.csv", ("a", "p", "withdrawn", "1", ""), at=NOON + 1)
    assert (desk.words, desk.originals) == ([], [])
    again_unchanged(desk, first, second)
    third = desk.deliver("3.csv", ("c", "p", "", "3", "More"), at=NOON + 2)
    assert desk.rows("select is_withdrawn from feedback.response") == [(True,)]
    again_unchanged(desk, first, second, third)


@pytest.mark.parametrize("change", [{"question": "renamed"}, {"record_ref": "version"}])
def test_changed_declaration_leaves_no_row_of_the_earlier_reading(desk, change):
    desk.deliver("1.csv", ("a", "p", "", "v1", "Good"), ("b", "q", "", "v2", "Bad"))
    desk.declare(**change)
    desk.decide()
    assert desk.words == desk.originals == ["Bad", "Good"]
    assert desk.rows("select count(*) from feedback.record") == [(2,)]
    assert desk.rows("select count(*) from feedback.response") == [(2,)]


def test_record_that_moves_to_another_response_leaves_none_behind(desk):
    desk.deliver("1.csv", ("a", "p", "", "", "Good"), at=NOON)
    desk.deliver("2.csv", ("a", "q", "", "", "Good"), at=NOON + 1)
    assert desk.words == ["Good"]
    assert desk.rows("select source_record_ref from feedback.response") == [("q",)]


def test_file_that_a_changed_declaration_cannot_read_leaves_a_balanced_account(desk):
    desk.deliver("1.csv", ("a", "p", "", "", "Good"))
    desk.declare(format={"header_row": 9})
    desk.decide()
    assert desk.rows("select delivery_state, received_count from landing.delivery") == [("refused", 0)]
    assert (desk.words, desk.originals, desk.account) == ([], [], [])
    desk.declare()
    desk.decide()
    assert desk.words == ["Good"]


def test_released_record_goes_on_with_the_next_run(desk):
    (delivery,) = desk.deliver("1.csv", ("a", "p", "", "", "Good"), ("b", "q", "", "", "Bad"))
    desk.rows(
        "insert into landing.set_aside (set_aside_id, delivery_id, record_number, set_aside_level, check_id, reason, "
        f"run_id) values ('s', '{delivery}', 2, 'record', 'FB-LND-999', 'test', 'run') returning 1"
    )
    desk.decide([delivery])
    assert desk.words == ["Good"]
    assert desk.decide() == []
    desk.rows(
        "update landing.set_aside set set_aside_state = 'released', decided_by = 'Ada', decision_reason = 'seen', "
        "decided_at = now() returning 1"
    )
    assert desk.decide() == [delivery]
    assert desk.words == ["Bad", "Good"]
    assert desk.decide() == []


def test_contradicting_record_that_is_released_takes_the_place_of_the_first(desk):
    (delivery,) = desk.deliver(
        "1.csv", ("a", "p", "", "", "Good"), ("a", "p", "", "", "Bad"), ("", "q", "", "", "Nobody")
    )
    assert desk.account == [("1.csv", 1, "accepted"), ("1.csv", 2, "accepted"), ("1.csv", 3, "set_aside")]
    assert desk.words == ["Bad"]
    again_unchanged(desk, [delivery])


SUBJECTS = {
    "column": "subjects",
    "split": ";",
    "values": {"Food": {"slug": "food", "name": "Food and drink"}},
}


def test_edit_takes_out_the_subjects_that_the_record_names_no_more(desk):
    desk.declare(subjects=SUBJECTS)
    first = desk.deliver(
        "1.csv", ("a", "p", "", "", "x", "Waiting; food;Staff"), ("b", "q", "", "", "y", "Food")
    )
    assert [subject[:3] for subject in desk.subjects] == [
        ("a", "food", "Food and drink"),
        ("a", "staff", "Staff"),
        ("a", "waiting", "Waiting"),
        ("b", "food", "Food and drink"),
    ]
    second = desk.deliver("2.csv", ("a", "p", "", "", "x", "Staff; Parking"), at=NOON + 1)
    assert desk.slugs == [("a", "parking"), ("a", "staff"), ("b", "food")]
    again_unchanged(desk, first, second)
    third = desk.deliver("3.csv", ("a", "p", "", "", "x", ""), at=NOON + 2)
    assert desk.slugs == [("b", "food")]
    again_unchanged(desk, first, second, third)


def test_subjects_are_those_of_the_highest_version(desk):
    desk.declare(subjects=SUBJECTS, record_version={"column": "version"})
    first = desk.deliver("1.csv", ("a", "p", "", "1", "x", "Food"), ("a", "p", "", "2", "x", "Food; Staff"))
    assert desk.slugs == [("a", "food"), ("a", "staff")]
    second = desk.deliver("2.csv", ("a", "p", "", "3", "x", "Staff"), at=NOON - 60)
    assert desk.slugs == [("a", "staff")]
    again_unchanged(desk, first, second)


def test_records_of_one_response_name_subjects_each_for_itself(desk):
    desk.declare(subjects=SUBJECTS, comments=[{"column": "words", "question": {"column": "version"}}])
    first = desk.deliver("1.csv", ("a", "p", "", "1", "x", "Food; Staff"), ("b", "p", "", "2", "y", "Food"))
    assert desk.slugs == [("a", "food"), ("a", "staff"), ("b", "food")]
    second = desk.deliver("2.csv", ("a", "p", "", "1", "x", "Staff"), at=NOON + 1)
    assert desk.slugs == [("a", "staff"), ("b", "food")]
    again_unchanged(desk, first, second)
    third = desk.deliver("3.csv", ("b", "p", "withdrawn", "2", "", ""), at=NOON + 2)
    assert desk.slugs == []
    again_unchanged(desk, first, second, third)


def test_withdrawn_record_loses_its_subjects_until_it_comes_again(desk):
    desk.declare(subjects=SUBJECTS)
    first = desk.deliver("1.csv", ("a", "p", "", "", "x", "Food; Staff"), ("b", "q", "", "", "y", "Food"))
    second = desk.deliver("2.csv", ("a", "p", "withdrawn", "", "", "Food; Staff"), at=NOON + 1)
    assert desk.slugs == [("b", "food")]
    again_unchanged(desk, first, second)
    desk.deliver("3.csv", ("a", "p", "", "", "x again", "Staff"), at=NOON + 2)
    assert desk.slugs == [("a", "staff"), ("b", "food")]


def test_record_that_is_set_aside_later_leaves_no_subject(desk):
    desk.declare(subjects=SUBJECTS)
    (delivery,) = desk.deliver(
        "1.csv", ("a", "p", "", "", "x", "Food"), ("b", "p", "", "", "y", "Food; Staff")
    )
    desk.rows(
        "insert into landing.set_aside (set_aside_id, delivery_id, record_number, set_aside_level, check_id, reason, "
        f"run_id) values ('s', '{delivery}', 2, 'record', 'FB-LND-999', 'test', 'run') returning 1"
    )
    desk.decide([delivery])
    assert desk.slugs == [("a", "food")]
    again_unchanged(desk, [delivery])


def test_record_that_moves_to_another_response_takes_its_subjects_along(desk):
    desk.declare(subjects=SUBJECTS)
    first = desk.deliver("1.csv", ("a", "p", "", "", "x", "Food"), ("b", "p", "", "", "y", "Staff"))
    second = desk.deliver("2.csv", ("a", "q", "", "", "x", "Food"), at=NOON + 1)
    assert desk.slugs == [("a", "food"), ("b", "staff")]
    assert desk.rows(
        "select response.source_record_ref from feedback.response_subject inner join feedback.response "
        "using (response_id) where subject_slug = 'food'"
    ) == [("q",)]
    again_unchanged(desk, first, second)


def test_declaration_that_names_no_subjects_any_more_leaves_none(desk):
    desk.declare(subjects=SUBJECTS)
    desk.deliver("1.csv", ("a", "p", "", "", "x", "Food; Staff"))
    desk.declare()
    desk.decide()
    assert desk.slugs == []
