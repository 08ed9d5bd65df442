"""A name whose content changes back and forth, copies, and files that look as they did: what was written last stands."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from channel import Channel
from drops import MAPPING, Drop, FolderDrop, S3Drop, SftpDrop, rows_of

from patient_feedback.orchestration import landing_files

KIND, RUDE = rows_of(("a", "Kind staff")), rows_of(("a", "Rude staff"))


def deliveries(channel: Channel) -> list[tuple]:
    return channel.rows("select delivery_id, file_name from landing.delivery order by delivery_id")


def put_raw(drop: FolderDrop, name: str, content: bytes, moment: int) -> None:
    (drop.folder / name).write_bytes(content)
    os.utime(drop.folder / name, (moment, moment))


def test_content_that_is_put_back_stands_again_however_often(channel: Channel, drop: Drop) -> None:
    kind = drop.written(("a", "Kind staff"), ("b", "Long wait"))
    rude = drop.written(("a", "Rude staff"), ("b", "Long wait"))
    for number, content in enumerate((kind, rude, kind, rude, kind), 1):
        drop.put(f"week.{drop.ending}", content)
        assert channel.run() == 2
        words = "Kind staff" if content is kind else "Rude staff"
        channel.assert_shows("story", {"a": words, "b": "Long wait"})
        assert channel.rows("select record_version from feedback.record where source_record_ref = 'a'") == [
            (number,)
        ]
        before = deliveries(channel)
        assert channel.run() == 0
        assert deliveries(channel) == before and len(before) == number
    assert len(channel.rows("select distinct landing_url from landing.delivery")) == 2


def test_two_changes_between_two_runs_are_one(channel_of: Any, folder_drop: FolderDrop) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    kind, rude = drop.written(("a", "Kind staff")), drop.written(("a", "Rude staff"))
    for content in (kind, rude, kind):
        drop.put(f"week.{drop.ending}", content)
    assert channel.run() == 1
    for content in (rude, kind):
        drop.put(f"week.{drop.ending}", content)
    assert channel.run() == 0
    channel.assert_shows("story", {"a": "Kind staff"})


def test_old_file_that_comes_back_with_its_old_time_stands_again(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    channel = channel_of(folder_drop)
    put_raw(folder_drop, "week.csv", KIND, 1_700_000_000)
    channel.run()
    put_raw(folder_drop, "week.csv", RUDE, 1_700_000_600)
    channel.run()
    put_raw(folder_drop, "week.csv", KIND, 1_700_000_000)
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff"})
    assert channel.run() == 0


def test_decided_deliveries_that_are_worked_on_again_change_nothing(
    channel_of: Any, folder_drop: FolderDrop, tmp_path: Path
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    for words in ("Kind staff", "Rude staff", "Kind staff"):
        drop.deliver("week", ("a", words))
        channel.run()
    before = channel.rows("select * from feedback.comment"), channel.rows("select * from feedback.record")
    starts = {name: value for name, value in MAPPING.items() if name != "withdrawn"}
    # Both a backfill and a changed declaration read all three again.
    channel.source = drop.declared(tmp_path, mapping=starts)
    assert channel.run() == 3
    assert (
        channel.rows("select * from feedback.comment"),
        channel.rows("select * from feedback.record"),
    ) == before


def test_record_that_was_withdrawn_is_there_again_with_the_file_that_has_it(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    drop.deliver("week", ("a", "Kind staff"))
    channel.run()
    drop.deliver("week", ("a", "", "2026-03-02", "withdrawn"))
    channel.run()
    assert channel.withdrawn == {"a"}
    drop.deliver("week", ("a", "Kind staff"))
    channel.run()
    channel.assert_shows("story", {"a": "Kind staff"})


def test_copy_of_what_another_name_says_is_nothing_new_also_after_that_name_changed(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    kind = drop.written(("a", "Kind staff"))
    drop.put(f"week.{drop.ending}", kind)
    channel.run()
    drop.put(f"copy.{drop.ending}", kind)
    assert channel.run() == 0
    drop.deliver("week", ("a", "Rude staff"))
    assert channel.run() == 1
    assert channel.run() == 0
    channel.assert_shows("story", {"a": "Rude staff"})
    # No name but the copy's says it now, and the copy is written over and put back.
    drop.deliver("copy", ("b", "Long wait"))
    channel.run()
    drop.put(f"copy.{drop.ending}", kind)
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})


def test_content_that_no_name_says_any_more_may_come_back_under_another(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    kind = drop.written(("a", "Kind staff"))
    drop.put(f"week.{drop.ending}", kind)
    channel.run()
    drop.deliver("week", ("a", "Rude staff"))
    channel.run()
    drop.put(f"week restored.{drop.ending}", kind)
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff"})
    assert channel.run() == 0


def test_name_that_takes_the_content_of_another_one_says_it_anew(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    kind = drop.written(("a", "Kind staff"))
    drop.put(f"1.{drop.ending}", kind)
    drop.deliver("2", ("a", "Rude staff"))
    channel.run()
    drop.put(f"2.{drop.ending}", kind)
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff"})


def test_file_that_is_only_touched_says_nothing_new(channel_of: Any, folder_drop: FolderDrop) -> None:
    drop, channel = folder_drop, channel_of(folder_drop)
    kind = drop.written(("a", "Kind staff"))
    drop.put(f"1.{drop.ending}", kind)
    drop.deliver("2", ("a", "Rude staff"))
    channel.run()
    drop.put(f"1.{drop.ending}", kind)
    assert channel.run() == 0
    channel.assert_shows("story", {"a": "Rude staff"})


def test_file_on_a_disk_that_looks_as_before_is_read_where_it_changed(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    channel = channel_of(folder_drop)
    for content, words in ((KIND, "Kind staff"), (RUDE, "Rude staff")):
        put_raw(folder_drop, "week.csv", content, 1_700_000_000)
        assert channel.run() == 1
        channel.assert_shows("story", {"a": words})
    assert channel.run() == 0


@pytest.mark.parametrize("age", [0, 30, 300])
def test_file_on_a_server_that_was_just_written_is_read_once_more(
    channel_of: Any, sftp_drop: SftpDrop, age: int
) -> None:
    channel, written = channel_of(sftp_drop), int(time.time()) - age
    put_raw(sftp_drop, "week.csv", KIND, written)
    channel.run()
    put_raw(sftp_drop, "week.csv", RUDE, written)
    is_seen = age < 60
    assert channel.run() == int(is_seen)
    channel.assert_shows("story", {"a": "Rude staff" if is_seen else "Kind staff"})


def test_object_with_the_same_size_and_time_is_known_by_its_etag(channel_of: Any, s3_drop: S3Drop) -> None:
    channel = channel_of(s3_drop)
    s3_drop.put("week.csv", KIND)
    channel.run()
    for content, words in ((RUDE, "Rude staff"), (KIND, "Kind staff")):
        s3_drop.put("week.csv", content)
        assert channel.run() == 1
        channel.assert_shows("story", {"a": words})


def test_files_that_did_not_change_are_not_read(
    channel: Channel, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.deliver("week", ("a", "Kind staff"))
    drop.put(f"copy.{drop.ending}", drop.written(("b", "Long wait")))
    channel.run()
    # As if read long after they were written.
    monkeypatch.setattr(landing_files, "SETTLED_AFTER", landing_files.SETTLED_AFTER * -60)
    monkeypatch.setattr(landing_files, "open_file", None)
    assert channel.run() == 0
