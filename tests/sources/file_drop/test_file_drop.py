"""Files that somebody drops: the same warehouse whether they lie in a folder, in S3 or on an SFTP server."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from channel import Channel, utc
from drops import MAPPING, Drop, FolderDrop

from patient_feedback.orchestration import landing_files
from patient_feedback.sources.files import FoundFile


def deliveries(channel: Channel) -> list[str]:
    return [name for (name,) in channel.rows("select file_name from landing.delivery order by landed_at")]


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, drop: Drop) -> None:
    drop.deliver("1", ("a", "Kind staff"), ("b", "Long wait"))
    drop.deliver("2", ("c", "Cold food"))
    assert channel.run() == 3
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait", "c": "Cold food"})
    assert channel.run() == 0
    assert len(deliveries(channel)) == 2


def test_late_record_counts_in_its_own_period(channel: Channel, drop: Drop) -> None:
    drop.deliver("march", ("a", "Kind staff", "2026-03-02"))
    channel.run()
    drop.deliver("april", ("late", "Said late", "2026-02-20"))
    channel.run()
    assert channel.days == {"a": "2026-03-02", "late": "2026-02-20"}


def test_edited_record_shows_its_latest_words_also_where_they_are_the_first_again(
    channel: Channel, drop: Drop
) -> None:
    for number, words in enumerate(("Kind staff", "Rude staff", "Kind staff"), 1):
        drop.deliver(str(number), ("a", words), (f"new {number}", "More"))
        channel.run()
        assert channel.said("story")["a"] == words


def test_same_content_under_another_name_is_no_new_delivery(channel: Channel, drop: Drop) -> None:
    content = drop.written(("a", "Kind staff"))
    drop.put(f"1.{drop.ending}", content)
    channel.run()
    drop.put(f"1 (copy).{drop.ending}", content)
    assert channel.run() == 0
    assert deliveries(channel) == [f"1.{drop.ending}"]
    channel.assert_shows("story", {"a": "Kind staff"})


def test_same_name_with_new_content_is_a_new_delivery(channel: Channel, drop: Drop) -> None:
    drop.deliver("week", ("a", "Kind staff"))
    channel.run()
    drop.deliver("week", ("a", "Rude staff"), ("b", "Long wait"))
    assert channel.run() == 2
    channel.assert_shows("story", {"a": "Rude staff", "b": "Long wait"})
    assert deliveries(channel) == [f"week.{drop.ending}"] * 2


def test_withdrawn_record_takes_its_words_along(channel: Channel, drop: Drop) -> None:
    drop.deliver("1", ("a", "Kind staff"), ("b", "Long wait"))
    channel.run()
    drop.deliver("2", ("a", "", "2026-03-02", "withdrawn"))
    channel.run()
    assert channel.withdrawn == {"a"}
    channel.assert_shows("story", {"b": "Long wait"})
    assert channel.rows("select original_text from restricted.comment_original") == [("Long wait",)]


def test_partial_upload_waits_until_it_is_renamed(channel: Channel, drop: Drop) -> None:
    name, whole = f"1.{drop.ending}", drop.written(("a", "Kind staff"), ("b", "Long wait"))
    drop.put(f"{name}.filepart", whole[:30])
    assert channel.run() == 0
    drop.put(f"{name}.filepart", whole)
    assert channel.run() == 0
    drop.rename(f"{name}.filepart", name)
    assert channel.run() == 2
    assert deliveries(channel) == [name]
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})


@pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
def test_files_of_a_clock_that_is_two_hours_off_are_read(channel: Channel, drop: Drop, hours: int) -> None:
    drop.moment = now = int(time.time())
    drop.deliver("1", ("a", "Kind staff"))
    channel.run()
    drop.moment = now + hours * 3600
    drop.deliver("2", ("b", "Long wait"), ("a", "Kind staff"))
    assert channel.run() == 2
    # The clock is put right.
    drop.moment = now
    drop.deliver("3", ("c", "Cold food"))
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait", "c": "Cold food"})
    assert channel.run() == 0


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=400)], ids=str)
@pytest.mark.parametrize("names", [("jan", "feb", "mar"), ("week",) * 3], ids=["names", "one name"])
def test_file_of_a_clock_that_was_ahead_blocks_no_later_edit_and_no_withdrawal(
    channel_of: Any, folder_drop: FolderDrop, names: tuple[str, ...], ahead: timedelta
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    drop.moment = time.time() + ahead.total_seconds()
    drop.deliver(names[0], ("a", "Kind staff"), ("b", "Long wait"), ("c", "Cold food"))
    channel.run_gated()
    # The clock is put right.
    drop.moment = time.time() - 60
    drop.deliver(names[1], ("a", "Rude staff"))
    assert "FB-LND-032" not in set().union(*channel.run_gated())
    drop.moment = time.time() - 60
    drop.deliver(names[2], ("b", "", "2026-03-02", "withdrawn"))
    assert "FB-LND-032" not in set().union(*channel.run_gated())
    channel.assert_shows("story", {"a": "Rude staff", "c": "Cold food"})
    assert channel.withdrawn == {"b"}


def test_files_that_bear_a_time_to_come_stand_in_the_order_of_these_times(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    drop.deliver("before", ("a", "Kind staff"))
    for name, hours, words in (("2", 5, "Rude staff"), ("1", 2, "Long wait")):
        drop.moment = time.time() + hours * 3600
        drop.deliver(name, ("a", words))
    channel.run_gated()
    channel.assert_shows("story", {"a": "Rude staff"})


def test_file_with_a_name_that_is_no_unicode_is_read_and_stops_no_other(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    drop.deliver(os.fsdecode(b"enk\xe4t"), ("a", "Kind staff"))
    drop.deliver("EXPORT", ("b", "Long wait"))
    drop.rename("EXPORT.csv", "EXPORT.CSV")
    assert channel.run() == 2
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})
    assert deliveries(channel) == ["enk\\udce4t.csv", "EXPORT.CSV"]
    assert channel.run() == 0


def test_feedback_at_the_change_of_clocks_counts_on_its_local_day(channel_of: Any, drop: Drop) -> None:
    submitted = {"column": "date", "formats": ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M"]}
    mapping = {**MAPPING, "submitted_on": {**submitted, "timezone": "Europe/London"}}
    days = {
        "2026-03-28T23:30:00+00:00": "2026-03-28",
        "2026-03-29T23:30:00+00:00": "2026-03-30",
        # An hour that there is not, and one that there is twice, as London's clocks show them.
        "2026-03-29 01:30": "2026-03-29",
        "2026-10-25 01:30": "2026-10-25",
        "2026-10-24T23:30:00+00:00": "2026-10-25",
    }
    channel = channel_of(drop, mapping=mapping)
    drop.deliver("1", *((str(number), f"Said at {moment}", moment) for number, moment in enumerate(days)))
    assert channel.run() == len(days)
    assert channel.days == {str(number): day for number, day in enumerate(days.values())}
    channel.assert_shows("story", {str(number): f"Said at {moment}" for number, moment in enumerate(days)})


def test_file_that_is_moved_away_before_it_is_read_stops_no_other(
    channel: Channel, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.deliver("1", ("a", "Kind staff"))
    drop.deliver("2", ("b", "Long wait"))
    found = landing_files.list_files

    def move_away(*asked: Any, **more: Any) -> list[FoundFile]:
        files = found(*asked, **more)
        drop.rename(f"1.{drop.ending}", f"1.{drop.ending}.tmp")
        return files

    with monkeypatch.context() as patched:
        patched.setattr(landing_files, "list_files", move_away)
        assert channel.run() == 1
    channel.assert_shows("story", {"b": "Long wait"})
    drop.rename(f"1.{drop.ending}.tmp", f"1.{drop.ending}")
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})


def test_file_that_is_replaced_before_it_is_read_is_left_for_the_next_run(
    channel: Channel, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.deliver("1", ("a", "Kind staff"))
    found = landing_files.list_files

    def replace(*asked: Any, **more: Any) -> list[FoundFile]:
        files = found(*asked, **more)
        drop.deliver("1", ("a", "Rude staff"))
        return files

    with monkeypatch.context() as patched:
        patched.setattr(landing_files, "list_files", replace)
        assert channel.run() == 0
    assert deliveries(channel) == []
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Rude staff"})


def test_file_that_is_gone_stays_in_the_warehouse(channel: Channel, drop: Drop) -> None:
    drop.deliver("1", ("a", "Kind staff"))
    channel.run()
    drop.rename(f"1.{drop.ending}", f"1.{drop.ending}.tmp")
    assert channel.run() == 0
    channel.assert_shows("story", {"a": "Kind staff"})


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel, drop: Drop) -> None:
    drop.deliver("1", ("a", "Kind staff", "2026-03-02"), ("b", "Long wait", "2026-03-09"))
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    channel.run(window=(utc("2026-03-01"), utc("2026-03-05")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before


def test_manifest_counts_and_vouches_in_every_place(channel_of: Any, drop: Drop) -> None:
    channel = channel_of(drop, where={"manifest": "manifest.csv"})
    drop.deliver("1", ("a", "Kind staff"))
    assert channel.run() == 0
    drop.put("manifest.csv", f"file,records\n1.{drop.ending},1\n".encode())
    assert channel.run() == 1
    assert channel.rows("select source_count, extracted_count from landing.delivery") == [(1, 1)]
