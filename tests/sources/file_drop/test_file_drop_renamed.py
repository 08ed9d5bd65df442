"""A source of files changes the keys of its records: words that are held are not overwritten by none."""

from __future__ import annotations

import json
from typing import Any

from drops import FolderDrop


def lines(*records: dict[str, str]) -> bytes:
    return "".join(json.dumps({"date": "2026-03-02", "status": "", **one}) + "\n" for one in records).encode()


def test_lines_with_words_under_another_key_stop_the_delivery_and_the_words_stay(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    folder_drop.ending = "jsonl"
    channel = channel_of(folder_drop)
    held = {str(number): f"The nurse was rude {number}" for number in range(1, 4)}
    folder_drop.deliver("1", *held.items())
    channel.run_gated()
    edited = [{"id": key, "text": f"{words}, edited"} for key, words in held.items()]
    folder_drop.put("2.jsonl", lines({"id": "9", "words": "An old line"}, *edited))
    [failed] = channel.run_gated()
    assert "FB-LND-002" in failed
    channel.assert_shows("story", held)
    assert channel.rows(
        "select missing_columns, unknown_columns from landing.delivery where file_name = '2.jsonl'"
    ) == [(["words"], ["text"])]


def test_key_in_two_spellings_takes_no_words_away_and_is_said(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    folder_drop.ending = "jsonl"
    channel = channel_of(folder_drop)
    folder_drop.deliver("1", ("a", "Kind staff"))
    channel.run_gated()
    folder_drop.put("2.jsonl", lines({"id": "a", "words": "Rude staff", "Words": ""}))
    [failed] = channel.run_gated()
    assert "FB-LND-007" in failed
    channel.assert_shows("story", {"a": "Rude staff"})


def test_line_that_is_nested_too_deeply_keeps_back_no_other(channel_of: Any, folder_drop: FolderDrop) -> None:
    folder_drop.ending = "jsonl"
    channel = channel_of(folder_drop)
    deep = b'{"id": "x", "date": "2026-03-02", "words": ' + b"[" * 500 + b"]" * 500 + b"}\n"
    folder_drop.put("1.jsonl", deep + lines({"id": "a", "words": "Kind staff"}))
    folder_drop.deliver("2", ("b", "Long wait"))
    channel.run_gated()
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})
    assert channel.rows("select check_id from landing.set_aside") == [("FB-LND-024",)]
