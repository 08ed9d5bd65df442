"""Complaints with several subjects each, as a register's file or table: a complaint counts once, and once per subject."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from channel import Channel
from drops import FolderDrop
from survey_table import SurveyTool, postgres_tool, sqlite_tool

from patient_feedback.settings import Settings
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.connection import connect

SUBJECTS = {
    "Waiting times": {"slug": "waiting", "name": "Waiting"},
    "Staff attitude": {"slug": "staff", "name": "Staff"},
    "Food": {"slug": "food", "name": "Food and drink"},
}
SLUGS = {label: subject["slug"] for label, subject in SUBJECTS.items()}
MAPPING: dict[str, Any] = {
    "record_ref": "id",
    "submitted_on": {
        "column": "submitted_at",
        "formats": ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M"],
        "timezone": "Europe/London",
    },
    "comments": [{"column": "comment", "question": {"slug": "comment", "intent": "open"}}],
    "subjects": {"column": "subjects", "split": ";", "values": SUBJECTS},
}
Complaint = tuple[str, tuple[str, ...]]


class Register(ABC):
    """A register of complaints as its owner keeps it, and the source that reads it."""

    channel: Channel
    has_zone: bool = False
    """Whether its moments say their zone; else they are London's own."""

    def __init__(self) -> None:
        self.complaints: dict[str, Complaint] = {}

    def put(
        self,
        number: int,
        words: str,
        *subjects: str,
        updated: str = "2025-03-07 09:00",
        received: str = "2025-03-01 08:00",
    ) -> None:
        """Add or edit a complaint; both moments are in UTC."""
        self.complaints[str(number)] = (words, subjects)
        self.write(number, words, subjects, updated, received)

    def withdraw(self, number: int) -> None:
        del self.complaints[str(number)]
        self.erase(number)

    @abstractmethod
    def write(
        self, number: int, words: str, subjects: tuple[str, ...], updated: str, received: str
    ) -> None: ...

    @abstractmethod
    def erase(self, number: int) -> None: ...

    @abstractmethod
    def show_again(self) -> None:
        """Give the channel once more what it had."""

    def run(self) -> int:
        """Read what is new, and compare complaint by complaint and subject by subject."""
        landed = self.channel.run()
        self.channel.assert_shows("comment", {ref: words for ref, (words, _) in self.complaints.items()})
        bridge = self.channel.rows(
            "select source_record_ref, subject_slug from feedback.response_subject order by 1, 2"
        )
        named = {ref: {SLUGS[label] for label in labels} for ref, (_, labels) in self.complaints.items()}
        assert bridge == sorted((ref, slug) for ref, slugs in named.items() for slug in slugs)
        assert Counter(slug for _, slug in bridge) == Counter(
            slug for slugs in named.values() for slug in slugs
        )
        standing = "select count(*) from feedback.response where not is_withdrawn"
        assert self.channel.rows(standing) == [(len(self.complaints),)]
        return landed


class FileRegister(Register):
    """Each run finds a file of what was added or changed since the last."""

    HEADER = ("id", "submitted_at", "status", "subjects", "comment")

    def __init__(self, warehouse: Settings, folder: Path) -> None:
        super().__init__()
        self.drop = FolderDrop(folder / "register")
        self.rows: list[tuple[Any, ...]] = []
        self.files = 0
        withdrawn = {"column": "status", "values": ["Withdrawn"]}
        source = self.drop.declared(folder, mapping={**MAPPING, "withdrawn": withdrawn})
        self.channel = Channel(warehouse, source, None)

    def write(self, number: int, words: str, subjects: tuple[str, ...], updated: str, received: str) -> None:
        self.rows.append((number, received, "Open", "; ".join(subjects), words))

    def erase(self, number: int) -> None:
        self.rows.append((number, "2025-03-01 08:00", "Withdrawn", "", ""))

    def show_again(self) -> None:
        # All that was said before in one file, each complaint twice, as a register's yearly extract holds it.
        words = self.complaints
        self.rows += [
            (ref, "2025-03-01 08:00", "Open", ";".join(labels), said) for ref, (said, labels) in words.items()
        ] * 2

    def run(self) -> int:
        if self.rows:
            text = io.StringIO()
            csv.writer(text, delimiter=";").writerows([self.HEADER, *self.rows])
            self.files += 1
            self.drop.put(f"{self.files}.csv", text.getvalue().encode("utf-8-sig"))
            self.rows = []
        return super().run()


class TableRegister(Register):
    """A table of a complaints system, asked by its key and the moment of its change."""

    def __init__(self, warehouse: Settings, folder: Path, tool: SurveyTool) -> None:
        super().__init__()
        self.tool, self.has_zone = tool, tool.is_postgres
        kind = sa.ARRAY(sa.Text) if tool.is_postgres else sa.Text()
        tool.create(sa.Column("id", sa.Integer, primary_key=True), name="complaints", subjects=kind)
        source = tool.source(folder, mapping={**MAPPING, "rating": None})
        self.channel = Channel(warehouse, source, tool.connection)

    def write(self, number: int, words: str, subjects: tuple[str, ...], updated: str, received: str) -> None:
        held = list(subjects) if self.tool.is_postgres else "; ".join(subjects)
        self.tool.put(number, words, updated, received, subjects=held)

    def erase(self, number: int) -> None:
        self.tool.remove(number)

    def show_again(self) -> None:
        with connect(self.channel.settings, "test") as connection:
            connection.execute("delete from landing.source_cursor")


@pytest.fixture(params=["file", "sqlite", "postgresql"])
def register(
    request: pytest.FixtureRequest, server: EmbeddedPostgres, warehouse: Settings, tmp_path: Path
) -> Iterator[Register]:
    """Four complaints, of which one has three subjects and one has none."""
    if request.param == "file":
        made: Register = FileRegister(warehouse, tmp_path)
        _fill(made)
        yield made
        return
    opened = sqlite_tool(tmp_path) if request.param == "sqlite" else postgres_tool(server, warehouse)
    with opened as tool:
        made = TableRegister(warehouse, tmp_path, tool)
        _fill(made)
        yield made


def _fill(register: Register) -> None:
    register.put(1, "Waited for hours; nobody came", "Waiting times", "Staff attitude", "Food")
    register.put(2, "Cold food", "Food")
    register.put(3, "Waited again", "Waiting times")
    register.put(4, "Something else")


def test_first_load_brings_all_and_a_second_run_nothing(register: Register) -> None:
    assert register.run() == 4
    assert register.channel.rows("select count(*) from feedback.response_subject") == [(5,)]
    assert register.run() == 0


def test_late_complaint_counts_in_its_own_period(register: Register) -> None:
    register.run()
    register.put(5, "Sent by letter", "Food", received="2024-12-24 09:00")
    assert register.run() == 1
    assert register.channel.days["5"] == "2024-12-24"


def test_edited_complaint_has_its_new_words_and_subjects_alone(register: Register) -> None:
    register.run()
    for words, subjects in (("Waited for days", ("Food",)), ("Waited for hours", ("Waiting times", "Food"))):
        register.put(1, words, *subjects, updated="2025-03-07 10:00")
        assert register.run() == 1
    register.put(2, "Cold food")
    assert register.run() == 1


def test_complaint_that_comes_twice_counts_once(register: Register) -> None:
    register.run()
    register.show_again()
    register.run()
    assert register.run() == 0


def test_withdrawn_complaint_leaves_every_subject(register: Register) -> None:
    register.run()
    register.withdraw(1)
    assert register.run() == 1
    assert register.channel.withdrawn == {"1"}
    register.put(1, "Waited for hours", "Waiting times", "Food", updated="2025-03-07 10:00")
    assert register.run() == 1
    assert register.channel.withdrawn == set()


def test_complaint_changed_by_a_clock_two_hours_behind_is_read(register: Register) -> None:
    register.run()
    register.put(2, "Cold food, by a slow clock", "Food", "Staff attitude", updated="2025-03-07 07:00")
    register.put(6, "New, by a slow clock", "Food", updated="2025-03-07 07:00")
    assert register.run() == 2


def test_more_complaints_of_one_moment_than_a_page_holds_are_all_read(register: Register) -> None:
    for number in range(10, 17):
        register.put(number, f"Moved from the old system {number}", "Food", "Waiting times")
    assert register.run() == 11


def test_complaint_at_the_change_of_clocks_counts_on_its_local_day(register: Register) -> None:
    received = {
        20: "2025-03-29 23:30",
        21: "2025-03-30 23:30",
        22: "2025-10-26 00:30",
        23: "2025-10-26 01:30",
    }
    for number, moment in received.items():
        register.put(number, f"Received at {moment}", "Food", "Waiting times", received=moment)
    register.run()
    days = [register.channel.days[str(number)] for number in received]
    after_midnight = "2025-03-31" if register.has_zone else "2025-03-30"
    assert days == ["2025-03-29", after_midnight, "2025-10-26", "2025-10-26"]
