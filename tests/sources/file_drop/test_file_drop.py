"""Files that somebody drops: the same warehouse whether they lie in a folder, in S3 or on an SFTP server."""

from __future__ import annotations

from typing import Any

from channel import Channel, utc
from drops import Drop, rows_of


def deliveries(channel: Channel) -> list[str]:
    return [name for (name,) in channel.rows("select file_name from landing.delivery order by landed_at")]


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, drop: Drop) -> None:
    drop.put("1.csv", rows_of(("a", "Kind staff"), ("b", "Long wait")))
    drop.put("2.csv", rows_of(("c", "Cold food")))
    assert channel.run() == 3
    assert channel.said("story") == {"a": "Kind staff", "b": "Long wait", "c": "Cold food"}
    assert channel.run() == 0
    assert len(deliveries(channel)) == 2


def test_late_record_counts_in_its_own_period(channel: Channel, drop: Drop) -> None:
    drop.put("march.csv", rows_of(("a", "Kind staff", "2026-03-02")))
    channel.run()
    drop.put("april.csv", rows_of(("late", "Said late", "2026-02-20")))
    channel.run()
    assert channel.days == {"a": "2026-03-02", "late": "2026-02-20"}


def test_edited_record_shows_its_latest_words_also_where_they_are_the_first_again(
    channel: Channel, drop: Drop
) -> None:
    for number, words in enumerate(("Kind staff", "Rude staff", "Kind staff"), 1):
        drop.put(f"{number}.csv", rows_of(("a", words), (f"new {number}", "More")))
        channel.run()
        assert channel.said("story")["a"] == words


def test_same_content_under_another_name_is_no_new_delivery(channel: Channel, drop: Drop) -> None:
    content = rows_of(("a", "Kind staff"))
    drop.put("1.csv", content)
    channel.run()
    drop.put("1 (copy).csv", content)
    assert channel.run() == 0
    assert deliveries(channel) == ["1.csv"]


def test_same_name_with_new_content_is_a_new_delivery(channel: Channel, drop: Drop) -> None:
    drop.put("week.csv", rows_of(("a", "Kind staff")))
    channel.run()
    drop.put("week.csv", rows_of(("a", "Rude staff"), ("b", "Long wait")))
    assert channel.run() == 2
    assert channel.said("story") == {"a": "Rude staff", "b": "Long wait"}
    assert deliveries(channel) == ["week.csv", "week.csv"]


def test_withdrawn_record_takes_its_words_along(channel: Channel, drop: Drop) -> None:
    drop.put("1.csv", rows_of(("a", "Kind staff"), ("b", "Long wait")))
    channel.run()
    drop.put("2.csv", rows_of(("a", "", "2026-03-02", "withdrawn")))
    channel.run()
    assert channel.withdrawn == {"a"}
    assert channel.said("story") == {"b": "Long wait"}
    assert channel.rows("select original_text from restricted.comment_original") == [("Long wait",)]


def test_partial_upload_waits_until_it_is_renamed(channel: Channel, drop: Drop) -> None:
    whole = rows_of(("a", "Kind staff"), ("b", "Long wait"))
    drop.put("1.csv.filepart", whole[:30])
    assert channel.run() == 0
    drop.put("1.csv.filepart", whole)
    assert channel.run() == 0
    drop.rename("1.csv.filepart", "1.csv")
    assert channel.run() == 2
    assert deliveries(channel) == ["1.csv"]


def test_file_that_is_gone_stays_in_the_warehouse(channel: Channel, drop: Drop) -> None:
    drop.put("1.csv", rows_of(("a", "Kind staff")))
    channel.run()
    drop.rename("1.csv", "1.csv.tmp")
    assert channel.run() == 0
    assert channel.said("story") == {"a": "Kind staff"}


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel, drop: Drop) -> None:
    drop.put("1.csv", rows_of(("a", "Kind staff", "2026-03-02"), ("b", "Long wait", "2026-03-09")))
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    channel.run(window=(utc("2026-03-01"), utc("2026-03-05")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before


def test_manifest_counts_and_vouches_in_every_place(channel_of: Any, drop: Drop) -> None:
    channel = channel_of(drop, where={"manifest": "manifest.csv"})
    drop.put("1.csv", rows_of(("a", "Kind staff")))
    assert channel.run() == 0
    drop.put("manifest.csv", b"file,records\n1.csv,1\n")
    assert channel.run() == 1
    assert channel.rows("select source_count, extracted_count from landing.delivery") == [(1, 1)]
