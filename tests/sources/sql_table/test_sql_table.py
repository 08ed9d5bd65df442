"""A survey tool's table: whatever the tool does to its rows, the warehouse ends with what the table shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from channel import Channel, utc
from survey_table import PASSWORD, READER, SurveyTool, postgres_tool, sqlite_tool

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.orchestration.source_connections import airflow_connection
from patient_feedback.settings import Settings
from patient_feedback.sources import sql_table
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import Extract, ExtractionRequest, SourceConnection
from patient_feedback.stack.postgres import EmbeddedPostgres
from patient_feedback.warehouse.connection import connect

WORDS = "The nurse was kind"


def fill(tool: SurveyTool) -> None:
    for number in range(1, 8):
        tool.put(number, f"{WORDS} {number}", f"2025-03-0{number} 09:00", f"2025-03-0{number} 08:00")


@pytest.fixture(params=["postgresql", "sqlite"])
def tool(
    request: pytest.FixtureRequest, server: EmbeddedPostgres, warehouse: Settings, tmp_path: Path
) -> Iterator[SurveyTool]:
    made = postgres_tool(server, warehouse) if request.param == "postgresql" else sqlite_tool(tmp_path)
    with made as tool:
        fill(tool)
        yield tool


@pytest.fixture
def postgres(server: EmbeddedPostgres, warehouse: Settings) -> Iterator[SurveyTool]:
    with postgres_tool(server, warehouse) as tool:
        fill(tool)
        yield tool


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SurveyTool]:
    with sqlite_tool(tmp_path) as tool:
        fill(tool)
        yield tool


Open = Callable[..., Channel]


@pytest.fixture
def opened(warehouse: Settings, tmp_path: Path) -> Open:
    """Open a channel from a tool; keywords go into the declaration."""

    def open_channel(tool: SurveyTool, **declared: Any) -> Channel:
        return Channel(warehouse, tool.source(tmp_path, **declared), tool.connection)

    return open_channel


def counts(channel: Channel) -> list[tuple]:
    """Return what each delivery's source counted and gave, oldest first."""
    return channel.rows("select source_count, extracted_count from landing.delivery order by file_name")


def while_reading(monkeypatch: pytest.MonkeyPatch, after_pieces: int, happening: Callable[[], None]) -> None:
    """Let something happen once, when so many pieces have been landed and the next is being read."""
    extract = sql_table.extract

    def watched(request: ExtractionRequest) -> Iterator[Extract]:
        for number, piece in enumerate(extract(request)):
            if number == after_pieces:
                happening()
            yield piece

    monkeypatch.setattr(sql_table, "extract", watched)


# What a run brings


def test_first_load_brings_all_and_a_second_run_nothing(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    assert channel.run() == 7
    channel.assert_shows("comment", tool.said)
    assert channel.days["3"] == "2025-03-03"
    assert channel.run() == 0
    assert counts(channel) == [(7, 7)]


def test_column_by_which_changes_are_found_is_no_unknown_one(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    [(names, unknown)] = channel.rows("select column_names, unknown_columns from landing.delivery")
    assert channel.source.request.updated_column in names
    assert channel.source.request.updated_column not in unknown


def test_empty_table_brings_nothing_and_its_first_row_comes_next(tool: SurveyTool, opened: Open) -> None:
    tool.remove(*range(1, 8))
    channel = opened(tool)
    assert channel.run() == 0
    tool.put(1, "First", "2025-01-01 09:00")
    assert channel.run() == 1


def test_row_without_answers_is_withdrawn_like_any_other_and_may_come_back(
    tool: SurveyTool, opened: Open
) -> None:
    tool.put(9, None, "2025-03-09 09:00", "2025-03-09 08:00", score=None)
    channel = opened(tool)
    channel.run()
    tool.remove(9)
    channel.run()
    assert channel.withdrawn == {"9"}
    tool.put(9, None, "2025-03-09 10:00", "2025-03-09 08:00", score=None)
    channel.run()
    assert channel.withdrawn == set()


def test_late_row_counts_in_its_own_period(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    tool.put(20, "Said late", updated="2025-03-08 09:00", submitted="2024-12-24 09:00")
    assert channel.run() == 1
    assert channel.days["20"] == "2024-12-24"


def test_row_changed_at_the_very_microsecond_of_the_cursor_is_read(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool, request={"overlap_minutes": 0})
    tool.put(8, "The newest", "2025-03-08 09:00:00.123456")
    channel.run()
    tool.put(9, "At the same microsecond", "2025-03-08 09:00:00.123456")
    tool.put(8, "The newest, edited in it", "2025-03-08 09:00:00.123456")
    assert channel.run() == 2
    channel.assert_shows("comment", tool.said)


def test_many_rows_of_one_moment_pass_the_borders_of_pages_and_pieces(
    tool: SurveyTool, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_table, "EXTRACT_SIZE", 3)
    for number in range(100, 111):
        tool.put(number, f"Imported {number}", "2025-03-04 09:00")
    channel = opened(tool, request={"overlap_minutes": 0})
    assert channel.run() == 18
    channel.assert_shows("comment", tool.said)
    assert counts(channel) == [(3, 3)] * 6
    assert channel.run() == 0


def test_edited_row_shows_its_latest_words(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    tool.put(2, "The nurse was rude", "2025-03-08 09:00", "2025-03-02 08:00")
    assert channel.run() == 1
    channel.assert_shows("comment", tool.said)
    assert channel.rows("select record_version from feedback.record where source_record_ref = '2'") == [(2,)]


def test_words_edited_and_put_back_are_shown_as_they_stand(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    for words, updated in (("Something else", "2025-03-08 09:00"), (f"{WORDS} 5", "2025-03-08 10:00")):
        tool.put(5, words, updated, "2025-03-05 08:00")
        assert channel.run() == 1
    channel.assert_shows("comment", tool.said)


def test_deleted_row_is_withdrawn_with_its_words_and_stands_again_when_it_is_back(
    tool: SurveyTool, opened: Open
) -> None:
    channel = opened(tool)
    channel.run()
    tool.remove(2)
    assert channel.run() == 1
    assert channel.withdrawn == {"2"}
    assert channel.days["2"] == "2025-03-02"
    channel.assert_shows("comment", tool.said)
    assert not channel.rows("select from restricted.comment_original where original_text like '%%kind 2'")
    assert channel.run() == 0
    # Restored as it was, its old date included.
    tool.put(2, f"{WORDS} 2", "2025-03-02 09:00", "2025-03-02 08:00")
    assert channel.run() == 1
    assert channel.withdrawn == set()
    channel.assert_shows("comment", tool.said)


def test_mass_disappearance_is_refused_until_a_person_allows_it(tool: SurveyTool, opened: Open) -> None:
    for number in range(10, 60):
        tool.put(number, f"Many {number}")
    channel = opened(tool)
    channel.run()
    tool.remove(*range(10, 40))
    with pytest.raises(FeedbackError, match="30 of the 57 records"):
        channel.run()
    assert channel.withdrawn == set()
    channel.source = opened(tool, request={"largest_vanished_share": "1"}).source
    channel.run()
    assert len(channel.withdrawn) == 30
    channel.assert_shows("comment", tool.said)


@pytest.mark.parametrize("after_pieces", [0, 1])
def test_row_added_while_the_table_is_read_waits_for_the_next_run(
    tool: SurveyTool, opened: Open, monkeypatch: pytest.MonkeyPatch, after_pieces: int
) -> None:
    def change() -> None:
        tool.put(30, "Came while reading", "2025-03-04 12:00")
        tool.remove(7)

    with monkeypatch.context() as patched:
        patched.setattr(sql_table, "EXTRACT_SIZE", 3)
        while_reading(patched, after_pieces, change)
        channel = opened(tool)
        assert channel.run() == 7
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]
    assert channel.run() == 2
    channel.assert_shows("comment", tool.said)
    assert channel.withdrawn == {"7"}


# What the updated column may hold


def seconds(at: datetime) -> int:
    return int(at.timestamp())


UPDATED_TYPES = {
    "with zone": (sa.DateTime(timezone=True), lambda at: at),
    "without zone": (sa.DateTime(), lambda at: at.replace(tzinfo=None)),
    "date": (sa.Date(), lambda at: at.date()),
    "seconds": (sa.BigInteger(), seconds),
    "milliseconds": (sa.BigInteger(), lambda at: seconds(at) * 1000),
    "decimal seconds": (sa.Numeric(20, 3), seconds),
    "counter": (sa.Integer(), lambda at: (seconds(at) - seconds(utc("2025-01-01"))) // 60),
    "ISO text": (sa.Text(), lambda at: at.isoformat().replace("+00:00", "Z")),
}


@pytest.fixture(params=UPDATED_TYPES)
def typed(
    request: pytest.FixtureRequest, server: EmbeddedPostgres, warehouse: Settings
) -> Iterator[SurveyTool]:
    with postgres_tool(server, warehouse, *UPDATED_TYPES[request.param]) as tool:
        fill(tool)
        yield tool


@pytest.fixture(params=[name for name in UPDATED_TYPES if name != "with zone"])
def typed_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SurveyTool]:
    with sqlite_tool(tmp_path, *UPDATED_TYPES[request.param]) as tool:
        fill(tool)
        yield tool


def check_any_type(tool: SurveyTool, channel: Channel) -> None:
    assert channel.run() == 7
    assert channel.run() == 0
    before = channel.cursor
    assert before
    tool.put(7, "Edited at the newest moment", "2025-03-07 09:00", "2025-03-07 08:00")
    tool.put(1, "Edited since", "2025-03-09 09:00", "2025-03-01 08:00")
    tool.put(8, "New", "2025-03-10 09:00")
    tool.remove(3)
    assert channel.run() == 4
    channel.assert_shows("comment", tool.said)
    assert channel.cursor != before
    cursor, rows = channel.cursor, channel.rows("select * from feedback.comment order by comment_id")
    channel.run(window=(utc("2025-03-02"), utc("2025-03-06")))
    assert channel.cursor == cursor
    assert channel.rows("select * from feedback.comment order by comment_id") == rows


def test_updated_column_of_any_type_of_postgres_serves(typed: SurveyTool, opened: Open) -> None:
    check_any_type(typed, opened(typed))


def test_updated_column_of_any_type_of_sqlite_serves(typed_file: SurveyTool, opened: Open) -> None:
    check_any_type(typed_file, opened(typed_file))


def test_run_reads_no_more_than_what_is_changed_and_the_overlap(typed: SurveyTool, opened: Open) -> None:
    channel = opened(typed)
    channel.run()
    typed.put(8, "New", "2025-03-10 09:00")
    channel.run()
    [_, (source_count, extracted_count)] = counts(channel)
    assert source_count == extracted_count
    # A counter's overlap is 1,000 steps, which are minutes here.
    assert extracted_count <= 4


def test_row_without_a_date_is_read_at_every_run(tool: SurveyTool, opened: Open) -> None:
    tool.put(40, "Never dated", None)
    channel = opened(tool)
    assert channel.run() == 8
    assert channel.run() == 0
    tool.put(40, "Never dated, but edited", None)
    tool.put(41, "Another without date", None)
    assert channel.run() == 2
    channel.assert_shows("comment", tool.said)
    assert all(source_count == extracted for source_count, extracted in counts(channel))


def test_new_row_that_bears_an_old_date_is_found_by_its_key(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    for number in range(50, 55):
        tool.put(number, f"Imported from paper {number}", "2019-01-01 09:00")
    assert channel.run() == 5
    channel.assert_shows("comment", tool.said)
    assert channel.run() == 0
    assert all(source_count == extracted for source_count, extracted in counts(channel))


def test_edit_by_a_clock_that_is_two_hours_behind_is_seen(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    tool.put(1, "Edited by a slow clock", "2025-03-07 07:00", "2025-03-01 08:00")
    assert channel.run() == 1
    channel.assert_shows("comment", tool.said)


@pytest.mark.parametrize("typed", [name for name in UPDATED_TYPES if name != "counter"], indirect=True)
def test_row_from_the_future_does_not_hide_what_comes_after_it(typed: SurveyTool, opened: Open) -> None:
    channel = opened(typed)
    typed.put(9, "A mistyped year", "2099-03-07 09:00")
    channel.run()
    typed.put(1, "Edited today", f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "2025-03-01 08:00")
    assert channel.run() == 1
    channel.assert_shows("comment", typed.said)


def test_cursor_never_moves_back(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    cursor = channel.cursor
    tool.remove(7)
    tool.put(6, "Edited", "2025-03-07 07:00")
    assert channel.run() == 2
    assert channel.cursor == cursor


def test_another_updated_column_is_read_from_its_beginning(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute("alter table responses add column changed timestamptz")
    channel = opened(postgres)
    channel.run()
    postgres.execute(
        "update responses set changed = '2020-01-01 09:00+00', comment = 'Edited ' || id, updated_at = '2020-01-01'"
    )
    channel.source = opened(postgres, request={"updated_column": "changed"}).source
    assert channel.run() == 7
    assert channel.cursor == {"column": "changed", "updated": "2020-01-01T09:00:00+00:00"}


@pytest.mark.parametrize("typed", ["counter"], indirect=True)
def test_number_that_was_given_early_and_written_late_is_seen(typed: SurveyTool, opened: Open) -> None:
    channel = opened(typed)
    channel.run()
    typed.put(1, "Written after a higher number was read", "2025-03-07 00:00", "2025-03-01 08:00")
    assert channel.run() == 1
    channel.assert_shows("comment", typed.said)


@pytest.mark.parametrize("updated", ["07/03/2025 09:00", "yesterday"])
def test_text_that_does_not_sort_by_time_is_refused_with_its_count(
    server: EmbeddedPostgres, warehouse: Settings, opened: Open, updated: str
) -> None:
    with postgres_tool(server, warehouse, sa.Text(), lambda at: at.isoformat()) as tool:
        fill(tool)
        tool.execute("update responses set updated_at = :updated where id > 4", updated=updated)
        with pytest.raises(FeedbackError, match=r"responses\.updated_at.*in 3 row") as raised:
            opened(tool).run()
    assert updated not in str(raised.value)


def test_column_of_mixed_types_is_refused_with_their_counts(file: SurveyTool, opened: Open) -> None:
    file.execute("update responses set updated_at = 1741338000 where id > 5")
    with pytest.raises(FeedbackError, match=r"2 of type integer, 5 of type text"):
        opened(file).run()


def test_column_that_holds_no_time_is_refused(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute("alter table responses add column seen boolean")
    with pytest.raises(FeedbackError, match="BOOLEAN"):
        opened(postgres, request={"updated_column": "seen"}).run()


# Windows and clocks


def test_backfill_before_any_run_brings_its_window_and_leaves_the_cursor(
    postgres: SurveyTool, opened: Open
) -> None:
    channel = opened(postgres)
    channel.run(window=(utc("2025-03-02 09:00"), utc("2025-03-05 09:00")))
    assert set(channel.said("comment")) == {"2", "3", "4"}
    assert channel.cursor is None
    assert counts(channel) == [(3, 3)]
    channel.run()
    channel.assert_shows("comment", postgres.said)


def test_backfill_of_all_windows_gives_what_running_on_time_gives(typed: SurveyTool, opened: Open) -> None:
    channel = opened(typed)
    for first, last in ((1, 3), (3, 6), (6, 8)):
        channel.run(window=(utc(f"2025-03-0{first}"), utc(f"2025-03-0{last}")))
    channel.assert_shows("comment", typed.said)


def test_window_of_a_column_without_zone_is_read_in_the_declared_zone(
    server: EmbeddedPostgres, warehouse: Settings, opened: Open
) -> None:
    with postgres_tool(server, warehouse, sa.DateTime(), lambda at: at.replace(tzinfo=None)) as tool:
        # Written as the wall clock in London shows it, which is an hour ahead of UTC.
        tool.put(1, "Before the window", "2025-07-01 23:30")
        tool.put(2, "In the window", "2025-07-02 00:30")
        submitted = {
            "column": "submitted_at",
            "formats": ["%Y-%m-%dT%H:%M:%S%z"],
            "timezone": "Europe/London",
        }
        channel = opened(tool, mapping={"submitted_on": submitted})
        channel.run(window=(utc("2025-07-01 23:00"), utc("2025-07-02 23:00")))
        assert set(channel.said("comment")) == {"2"}


def test_feedback_at_the_change_of_clocks_counts_on_its_local_day(postgres: SurveyTool, opened: Open) -> None:
    postgres.put(60, "Before midnight in winter", submitted="2025-03-29 23:30")
    postgres.put(61, "After midnight in summer", submitted="2025-03-30 23:30")
    submitted = {"column": "submitted_at", "formats": ["%Y-%m-%dT%H:%M:%S%z"], "timezone": "Europe/London"}
    channel = opened(postgres, mapping={"submitted_on": submitted})
    channel.run()
    assert (channel.days["60"], channel.days["61"]) == ("2025-03-29", "2025-03-31")


def test_edit_in_the_hour_that_autumn_tells_twice_is_seen(
    server: EmbeddedPostgres, warehouse: Settings, opened: Open
) -> None:
    with postgres_tool(server, warehouse, sa.DateTime(), lambda at: at.replace(tzinfo=None)) as tool:
        channel = opened(tool, request={"overlap_minutes": 0})
        tool.put(1, "Written at the first half past one", "2025-10-26 01:59")
        channel.run()
        tool.put(1, "Edited after the clock went back", "2025-10-26 01:10")
        assert channel.run() == 1
        channel.assert_shows("comment", tool.said)


def test_zone_of_the_database_makes_no_new_version(
    postgres: SurveyTool, server: EmbeddedPostgres, opened: Open
) -> None:
    channel = opened(postgres)
    channel.run()
    with server.connect() as connection:
        connection.execute(f"alter role {READER} set timezone = 'Asia/Tokyo'")
    try:
        assert channel.run() == 0
    finally:
        with server.connect() as connection:
            connection.execute(f"alter role {READER} reset timezone")


# What breaks off


def test_database_that_goes_down_while_read_keeps_the_pieces_before(
    postgres: SurveyTool, server: EmbeddedPostgres, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_session() -> None:
        with server.connect() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [READER]
            )

    channel = opened(postgres, request={"page_size": 1, "overlap_minutes": 0})
    with monkeypatch.context() as patched:
        patched.setattr(sql_table, "EXTRACT_SIZE", 3)
        while_reading(patched, 1, end_session)
        with pytest.raises(PlaceUnavailableError, match="survey") as raised:
            channel.run()
    assert WORDS not in str(raised.value)
    assert channel.cursor == {"column": "updated_at", "updated": "2025-03-03T09:00:00+00:00"}
    assert counts(channel) == [(3, 3)]
    assert channel.run() == 4
    channel.assert_shows("comment", postgres.said)


def test_run_that_is_killed_between_two_pieces_goes_on_where_it_stood(
    tool: SurveyTool, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        raise KeyboardInterrupt

    channel = opened(tool, request={"overlap_minutes": 0})
    channel.run()
    for number in range(1, 8):
        # The last key was edited first.
        tool.put(number, f"Edited {number}", f"2025-04-{20 - number} 09:00", f"2025-03-0{number} 08:00")
    with monkeypatch.context() as patched:
        patched.setattr(sql_table, "EXTRACT_SIZE", 3)
        while_reading(patched, 1, kill)
        with pytest.raises(KeyboardInterrupt):
            channel.run()
    assert counts(channel) == [(7, 7), (3, 3)]
    tool.remove(1)
    assert channel.run() == 3 + 1
    channel.assert_shows("comment", tool.said)
    assert channel.withdrawn == {"1"}


def test_postgres_that_is_away_is_worth_another_try(
    postgres: SurveyTool, opened: Open, free_port: int
) -> None:
    channel = opened(postgres)
    url = sa.make_url(postgres.connection.url).set(port=free_port)
    channel.connection = replace(postgres.connection, url=url.render_as_string())
    with pytest.raises(PlaceUnavailableError, match="survey_system") as raised:
        channel.run()
    assert PASSWORD not in str(raised.value)


def test_postgres_that_never_answers_is_given_up(
    postgres: SurveyTool, opened: Open, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_table, "CONNECT_SECONDS", 1)
    channel = opened(postgres)
    url = sa.make_url(postgres.connection.url).set(port=silent_port)
    channel.connection = replace(postgres.connection, url=url.render_as_string())
    with pytest.raises(PlaceUnavailableError, match="survey_system"):
        channel.run()
    channel.connection = postgres.connection
    assert channel.run() == 7
    channel.assert_shows("comment", postgres.said)


def test_rows_that_are_shown_again_are_no_new_delivery(tool: SurveyTool, opened: Open) -> None:
    channel = opened(tool)
    channel.run()
    with connect(channel.settings, "test") as connection:
        connection.execute("delete from landing.source_cursor")
    assert channel.run() == 0
    assert counts(channel) == [(7, 7)]
    channel.assert_shows("comment", tool.said)


def test_sqlite_file_that_is_away_is_worth_another_try_and_is_not_made(
    file: SurveyTool, opened: Open, tmp_path: Path
) -> None:
    channel = opened(file)
    channel.connection = SourceConnection("survey_system", f"sqlite:///{tmp_path}/elsewhere.db")
    with pytest.raises(PlaceUnavailableError, match="survey_system"):
        channel.run()
    assert not (tmp_path / "elsewhere.db").exists()


# What a person has to mend


@pytest.mark.parametrize(
    ("login", "password", "database"),
    [(READER, "wrong", None), ("nobody_here", PASSWORD, None), (READER, PASSWORD, "no_such_database")],
)
def test_refused_login_names_the_connection_and_never_the_password(
    postgres: SurveyTool, opened: Open, login: str, password: str, database: str | None
) -> None:
    channel = opened(postgres)
    url = sa.make_url(postgres.connection.url).set(username=login)
    url = url.set(database=database) if database else url
    channel.connection = SourceConnection("survey_system", url.render_as_string(), login, password)
    with pytest.raises(FeedbackError, match="'survey_system'") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert password not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracle+nodriver://host/base", "NoSuchModuleError"),
        ("sqlite://", "names no database"),
        ("postgresql+psycopg://host", "names no database"),
        ("no address", "ArgumentError"),
    ],
)
def test_connection_that_leads_nowhere_is_said_with_what_to_do(
    file: SurveyTool, opened: Open, url: str, said: str
) -> None:
    channel = opened(file)
    channel.connection = SourceConnection("survey_system", url, password="a secret")
    with pytest.raises(FeedbackError, match=said) as raised:
        channel.run()
    assert "survey_system" in str(raised.value)
    assert "a secret" not in str(raised.value)


def test_missing_table_is_named(tool: SurveyTool, opened: Open) -> None:
    with pytest.raises(FeedbackError, match=r"no_such_table.*survey_system"):
        opened(tool, request={"table": "no_such_table"}).run()


def test_missing_column_is_named_with_those_that_are_there(tool: SurveyTool, opened: Open) -> None:
    with pytest.raises(FeedbackError, match=r"'changed'.*updated_at, ward"):
        opened(tool, request={"updated_column": "changed"}).run()


def test_missing_rights_are_said_with_what_to_do(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute(f"revoke select on responses from {READER}")
    with pytest.raises(FeedbackError, match=r"InsufficientPrivilege.*survey_system") as raised:
        opened(postgres).run()
    assert WORDS not in str(raised.value)


def test_key_that_two_rows_share_is_refused_with_both_counts(tool: SurveyTool, opened: Open) -> None:
    tool.create(sa.Column("id", sa.Integer), name="exported")
    for number in (1, 2):
        tool.put(number, f"{WORDS} {number}")
    tool.execute("insert into exported select * from exported where id = 2")
    with pytest.raises(FeedbackError, match=r"column id.*3 rows have 2 different keys") as raised:
        opened(tool).run()
    assert WORDS not in str(raised.value)


def test_row_without_a_key_is_refused(tool: SurveyTool, opened: Open) -> None:
    tool.create(sa.Column("id", sa.Integer), name="exported")
    tool.put(1, "With a key")
    tool.execute("insert into exported (comment) values ('Without one')")
    with pytest.raises(FeedbackError, match=r"2 rows have 1 different keys"):
        opened(tool).run()


def test_name_from_the_declaration_is_never_run_as_sql(tool: SurveyTool, opened: Open) -> None:
    for name in ('id"; drop table responses; --', "id from responses; drop table responses; --"):
        with pytest.raises(FeedbackError, match="has no column"):
            opened(tool, request={"updated_column": name}).run()
    assert len(tool.said) == 7


def test_column_with_quotes_and_blanks_in_its_name_is_read(tool: SurveyTool, opened: Open) -> None:
    tool.execute('alter table responses rename column updated_at to "Last ""change"" at"')
    channel = opened(tool, request={"updated_column": 'Last "change" at'})
    assert channel.run() == 7


# What lands


def test_ignored_column_never_lands_and_needs_no_right(tool: SurveyTool, opened: Open) -> None:
    tool.create(
        sa.Column("id", sa.Integer, primary_key=True), patient_email=sa.Text(), patient_name=sa.Text()
    )
    person = {"patient_email": "must.not@land.example", "patient_name": "Must Not Land"}
    tool.put(1, WORDS, **person)
    if tool.is_postgres:
        tool.execute(f"revoke select on responses from {READER}")
        columns = "id, submitted_at, updated_at, ward, score, comment"
        tool.execute(f"grant select ({columns}) on responses to {READER}")
    channel = opened(tool, ignore_columns=["patient_*"])
    assert channel.run() == 1
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    landed = Path(url.removeprefix("file://")).read_text().lower()
    assert "must" not in landed
    assert "patient_email" not in landed
    assert not channel.rows("select from landing.record where payload::text ilike '%%must%%'")


def test_view_in_another_schema_is_read(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute("create schema reporting")
    postgres.execute(f"grant usage on schema reporting to {READER}")
    postgres.execute("create view reporting.answers as select * from responses where id < 4")
    postgres.execute(f"grant select on reporting.answers to {READER}")
    channel = opened(postgres, request={"table": "reporting.answers"})
    assert channel.run() == 3


def test_column_is_found_whatever_the_case_of_its_name(tool: SurveyTool, opened: Open) -> None:
    comments = [{"column": "Comment", "question": {"slug": "comment", "intent": "open"}}]
    channel = opened(tool, mapping={"comments": comments})
    channel.run()
    channel.assert_shows("comment", tool.said)


def test_values_of_every_type_land_as_they_stand(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute(
        """
        alter table responses
            add column amount numeric, add column share double precision, add column tags text[],
            add column more jsonb, add column token uuid, add column day date, add column scan bytea,
            add column took interval
        """
    )
    postgres.execute(
        """
        update responses
        set amount = 1.50, share = 'NaN', tags = '{a,b}', more = '{"at": [1, null]}',
            token = '11111111-2222-3333-4444-555555555555', day = '2025-03-01', scan = '\\x00ff', took = '90 minutes'
        """
    )
    channel = opened(postgres)
    channel.run()
    [(payload,)] = channel.rows("select payload from landing.record where payload ->> 'id' = '1'")
    assert {
        name: payload[name] for name in ("amount", "share", "tags", "more", "token", "day", "scan", "took")
    } == {
        "amount": "1.50",
        "share": "nan",
        "tags": ["a", "b"],
        "more": {"at": [1, None]},
        "token": "11111111-2222-3333-4444-555555555555",
        "day": "2025-03-01",
        "scan": "00ff",
        "took": "1:30:00",
    }
    assert channel.run() == 0


def test_key_of_any_type_is_withdrawn_under_the_reference_it_came_with(
    postgres: SurveyTool, opened: Open
) -> None:
    for kind, keys in (
        (sa.Numeric(10, 2), (10.00, 11.50)),
        (sa.Float(), (10.0, 11.5)),
        (sa.CHAR(8), ("ab", "cd")),
        (sa.Date(), (date(2025, 1, 1), date(2025, 1, 2))),
        (sa.Uuid(), ("1" * 8 + "-2222-3333-4444-" + "5" * 12, "2" * 8 + "-2222-3333-4444-" + "5" * 12)),
    ):
        if isinstance(kind, sa.Uuid):
            kind = sa.Uuid(as_uuid=False)
        table = f"keyed_by_{type(kind).__name__.lower()}"
        postgres.create(sa.Column("id", kind, primary_key=True), name=table)
        for key in keys:
            postgres.put(key, f"{WORDS} {key}", submitted="2025-03-03 08:00")
        channel = opened(postgres)
        channel.source = channel.source.model_copy(update={"slug": table})
        assert channel.run() == 2
        postgres.remove(keys[0])
        assert channel.run() == 1
        [(records, days)] = channel.rows(
            "select count(*), array_agg(distinct submitted_on::text) from feedback.response where source_slug = %s",
            table,
        )
        assert (records, days) == (2, ["2025-03-03"]), table


def test_byte_that_is_no_text_costs_one_letter_and_not_the_run(file: SurveyTool, opened: Open) -> None:
    file.execute("update responses set comment = cast(x'6b69e46e64' as text) where id = 3")
    channel = opened(file)
    assert channel.run() == 7
    assert channel.said("comment")["3"] == "ki\N{REPLACEMENT CHARACTER}nd"


@pytest.mark.parametrize(
    ("declared", "url"),
    [
        (
            {
                "conn_type": "postgres",
                "host": "db.example.org",
                "schema": "survey",
                "login": "reader",
                "port": 5433,
            },
            "postgresql+psycopg://reader@db.example.org:5433/survey",
        ),
        ({"conn_type": "sqlite", "host": "/srv/survey tool.db"}, "sqlite:////srv/survey tool.db"),
    ],
)
def test_airflow_connection_becomes_an_address_without_its_password(
    postgres: SurveyTool,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    declared: dict[str, Any],
    url: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_SURVEY_SYSTEM", json.dumps({**declared, "password": PASSWORD}))
    found = airflow_connection(opened(postgres).source)
    assert found.url == url
    assert found.password == PASSWORD
    assert PASSWORD not in repr(found)


def test_connection_that_airflow_made_generic_says_how_to_add_it_with_its_type(
    postgres: SurveyTool, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    given = {"conn_type": "generic", "host": "/srv/survey.db", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_SURVEY_SYSTEM", json.dumps(given))
    with pytest.raises(FeedbackError, match=r"'survey_system' is of type generic.*--conn-json") as raised:
        airflow_connection(opened(postgres).source)
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("visited", ["20026-03-01", "infinity", "0044-03-15 BC"])
def test_moment_that_python_cannot_hold_lands_as_text(
    postgres: SurveyTool, opened: Open, visited: str
) -> None:
    postgres.execute(
        "alter table responses add column visit date, add column seen timestamptz, add column seen_on timestamp[]"
    )
    postgres.execute(
        f"update responses set visit = '{visited}', seen = '{visited}', seen_on[1] = '{visited}' where id = 3"
    )
    channel = opened(postgres)
    assert channel.run() == 7
    channel.assert_shows("comment", postgres.said)
    [(payload,)] = channel.rows("select payload from landing.record where payload ->> 'id' = '3'")
    assert payload["visit"] == visited
    assert payload["seen"].startswith(visited.split()[0])
    assert payload["seen_on"][0].startswith(visited.split()[0])


def test_time_of_twenty_four_hours_lands_as_text(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute("alter table responses add column until time")
    postgres.execute("update responses set until = '24:00' where id = 3")
    channel = opened(postgres)
    assert channel.run() == 7
    assert channel.rows("select payload ->> 'until' from landing.record where payload ->> 'id' = '3'") == [
        ("24:00:00",)
    ]


@pytest.mark.parametrize("changed", ["infinity", "-infinity", "20026-03-01"])
def test_change_at_no_moment_stops_neither_its_row_nor_those_behind_it(
    postgres: SurveyTool, opened: Open, changed: str
) -> None:
    channel = opened(postgres)
    channel.run()
    cursor = channel.cursor
    postgres.put(8, "At no moment")
    postgres.execute(f"update responses set updated_at = '{changed}' where id = 8")
    channel.run()
    channel.assert_shows("comment", postgres.said)
    assert channel.cursor == cursor
    postgres.put(9, "Behind it", "2025-03-09 09:00")
    assert channel.run() == 1
    assert channel.run() == 0
    channel.assert_shows("comment", postgres.said)


def test_counter_that_is_no_number_stops_no_row(postgres: SurveyTool, opened: Open) -> None:
    postgres.execute("alter table responses add column turn numeric")
    postgres.execute("update responses set turn = case id when 3 then 'NaN'::numeric else id end")
    channel = opened(postgres, request={"updated_column": "turn"})
    assert channel.run() == 7
    channel.assert_shows("comment", postgres.said)
    assert channel.cursor == {"column": "turn", "updated": "7"}


def test_view_that_cannot_convert_a_value_is_told_apart_from_missing_rights(
    postgres: SurveyTool, opened: Open
) -> None:
    postgres.execute("create view converted as select *, comment::date as visit from responses")
    with pytest.raises(
        FeedbackError, match=r"converted.*holds a value.*InvalidDatetimeFormat.*ignore_columns"
    ) as raised:
        opened(postgres, request={"table": "converted"}).run()
    assert WORDS not in str(raised.value)


def test_keys_that_only_blanks_tell_apart_are_refused(tool: SurveyTool, opened: Open) -> None:
    tool.create(sa.Column("id", sa.Text, primary_key=True), name="exported")
    for key in ("A", "A ", "B"):
        tool.put(key, f"{WORDS} {key}")
    with pytest.raises(FeedbackError, match=r"column id.*3 rows have 2 different keys.*blanks") as raised:
        opened(tool).run()
    assert WORDS not in str(raised.value)


def test_key_that_no_index_holds_is_set_aside_and_stops_no_other(tool: SurveyTool, opened: Open) -> None:
    long = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(50))
    tool.create(sa.Column("id", sa.Text))
    for key in ("A", long, long[:-1]):
        tool.put(key, f"{WORDS} {key[:1]}")
    channel = opened(tool)
    channel.run_gated()
    assert channel.said("comment") == {"A": f"{WORDS} A"}
    assert channel.rows("select check_id from landing.set_aside") == [("FB-LND-036",)] * 2
    assert channel.run() == 0


@pytest.mark.parametrize("key", ["cast(x'c5e5' as text)", "'a' || char(0) || 'b'"])
def test_key_that_postgres_cannot_hold_comes_like_any_other(file: SurveyTool, opened: Open, key: str) -> None:
    file.create(sa.Column("id", sa.Text, primary_key=True))
    file.put("A", "Before", "2025-03-09 09:00")
    channel = opened(file)
    channel.run()
    # Of an old date: found by its key alone.
    file.execute(
        "insert into responses (id, submitted_at, updated_at, comment) "
        f"values ({key}, '2025-03-01 08:00:00.000000', '2025-03-01 09:00:00.000000', 'Odd key')"
    )
    assert channel.run() == 1
    assert sorted(channel.said("comment").values()) == ["Before", "Odd key"]
    assert channel.run() == 0
    file.execute("delete from responses where comment = 'Odd key'")
    channel.run()
    assert channel.said("comment") == {"A": "Before"}


# What a changed declaration asks for


def services(channel: Channel) -> dict[str, str | None]:
    return dict(channel.rows("select source_record_ref, service_name from feedback.response"))


def with_ward(tool: SurveyTool, folder: Path, is_optional: bool = False) -> Source:
    return tool.source(folder, mapping={"service": {"column": "ward", "optional": is_optional}})


@pytest.fixture
def without_ward(tool: SurveyTool, opened: Open) -> Channel:
    """A source whose wards were ignored while all was accepted."""
    channel = opened(tool, ignore_columns=["ward"], mapping={"service": None})
    channel.run_gated()
    assert set(services(channel).values()) == {None}
    return channel


@pytest.mark.parametrize("is_optional", [False, True])
def test_column_that_is_no_longer_ignored_is_read_of_every_row(
    without_ward: Channel, tool: SurveyTool, tmp_path: Path, is_optional: bool
) -> None:
    channel = without_ward
    channel.source = with_ward(tool, tmp_path, is_optional)
    channel.run_gated()
    channel.assert_shows("comment", tool.said)
    assert services(channel) == dict.fromkeys(tool.said, "Ward 3")
    # Once: from then on what is new is read.
    tool.put(8, "New", "2025-03-08 09:00")
    channel.run_gated()
    assert [extracted for _, extracted in counts(channel)[:2]] == [7, 7]
    assert counts(channel)[2][1] < 7


def test_column_that_the_table_got_since_is_read_of_every_row(
    tool: SurveyTool, opened: Open, tmp_path: Path
) -> None:
    channel = opened(tool)
    channel.run_gated()
    tool.execute("alter table responses add column team text default 'Night'")
    channel.source = tool.source(tmp_path, mapping={"service": {"column": "team"}})
    channel.run_gated()
    channel.assert_shows("comment", tool.said)
    assert services(channel) == dict.fromkeys(tool.said, "Night")


def test_declaration_that_asks_for_less_reads_nothing_again(
    without_ward: Channel, tool: SurveyTool, tmp_path: Path
) -> None:
    channel = without_ward
    channel.source = tool.source(
        tmp_path, ignore_columns=["ward", "score"], mapping={"service": None, "rating": None}
    )
    channel.run_gated()
    channel.assert_shows("comment", tool.said)
    [(_, extracted)] = counts(channel)[1:]
    assert extracted < 7


def test_source_that_kept_no_word_of_what_it_asked_for_is_gone_on_with(
    without_ward: Channel, tool: SurveyTool
) -> None:
    channel = without_ward
    with connect(channel.settings, "test") as connection:
        connection.execute("update landing.source_cursor set position = position - 'asked'")
    tool.put(8, "New", "2025-03-08 09:00")
    channel.run_gated()
    [(_, extracted)] = counts(channel)[1:]
    assert extracted < 7


def test_new_reading_that_breaks_off_costs_nothing_that_was_accepted(
    without_ward: Channel, tool: SurveyTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, truth = without_ward, tool.said
    monkeypatch.setattr(sql_table, "EXTRACT_SIZE", 3)
    channel.source = with_ward(tool, tmp_path)

    def away() -> None:
        raise PlaceUnavailableError("away")

    with monkeypatch.context() as once:
        while_reading(once, 1, away)
        with pytest.raises(PlaceUnavailableError):
            channel.run_gated()
        channel.assert_shows("comment", truth)
    # A backfill between the two decides what came, and leaves alone what waits for the rest.
    tool.put(9, "Of the window", "2025-02-01 09:00", "2025-02-01 08:00")
    channel.run(window=(utc("2025-02-01"), utc("2025-03-03")))
    channel.assert_shows("comment", truth | {"9": "Of the window"})
    channel.run_gated()
    channel.assert_shows("comment", tool.said)
    assert services(channel) == dict.fromkeys(tool.said, "Ward 3")
