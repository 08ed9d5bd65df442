"""Damage and dirt of delivered files: what can be read lands as it was said, and the rest is named."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from drops import MAPPING, FolderDrop, lines_of, workbook_of

WORDS = {
    "a": "Kind, patient; and\u2026 calm \u2013 caf\u00e9",
    "b": 'Two\nlines and a "quote"',
    "c": "Plain",
}
DAYS = {"a": (3, 2), "b": (2, 25), "c": (12, 1)}
"""Month and day of 2026: the first and the last read either way."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("date", ["%d/%m/%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("delimiter", [";", ","])
def test_dirty_csv_gives_the_words_and_days_that_were_written(
    channel_of: Any, folder_drop: FolderDrop, encoding: str, date: str, delimiter: str
) -> None:
    lines = [("id", "date", "status", "words")]
    for key, words in WORDS.items():
        month, day = DAYS[key]
        quoted = '"' + words.replace('"', '""') + '"'
        lines.append(
            (
                key,
                date.replace("%d", f"{day:02}").replace("%m", f"{month:02}").replace("%Y", "2026"),
                "",
                quoted,
            )
        )
    content = "\r\n".join(delimiter.join(line) for line in lines).encode(encoding)
    mapping = {**MAPPING, "submitted_on": {"column": "date", "formats": [date]}}
    channel = channel_of(folder_drop, mapping=mapping)
    folder_drop.put("1.csv", content)
    assert channel.run() == 3
    channel.assert_shows("story", WORDS)
    assert channel.days == {key: f"2026-{month:02}-{day:02}" for key, (month, day) in DAYS.items()}


def test_workbook_cut_in_transfer_is_refused_and_lands_when_it_is_whole(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    folder_drop.ending = "xlsx"
    channel = channel_of(folder_drop)
    whole = workbook_of(("a", "Kind staff"), ("b", "Long wait"))
    folder_drop.put("1.xlsx", whole[: len(whole) // 2])
    folder_drop.deliver("2", ("c", "Cold food"))
    assert channel.run() == 1
    channel.assert_shows("story", {"c": "Cold food"})
    states = (
        "select file_name, delivery_state, received_count from landing.delivery order by file_modified_at"
    )
    assert channel.rows(states) == [("1.xlsx", "refused", 0), ("2.xlsx", "accepted", 1)]
    folder_drop.put("1.xlsx", whole)
    assert channel.run() == 2
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait", "c": "Cold food"})


def test_broken_line_of_json_is_a_record_of_the_account_and_the_others_land(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    folder_drop.ending = "jsonl"
    channel = channel_of(folder_drop)
    first, last = lines_of(("a", "Kind staff")), lines_of(("b", "Long wait"))
    folder_drop.put("1.jsonl", first + b'{"id": "x", "words": "cut\n' + last)
    assert channel.run() == 3
    assert channel.rows("select record_number, defects from landing.record where defects <> '{}'") == [
        (2, ["unreadable_line"])
    ]
    assert {"a": "Kind staff", "b": "Long wait"}.items() <= channel.said("story").items()
    assert len(channel.rows("select from feedback.record")) == 2


@pytest.mark.parametrize("mapping", [{}, {"record_ref": "date", "response_ref": "id"}])
def test_reference_that_no_index_holds_is_set_aside_by_its_name_and_the_others_land(
    channel_of: Any, folder_drop: FolderDrop, mapping: dict[str, str]
) -> None:
    channel = channel_of(folder_drop, mapping={**MAPPING, **mapping})
    no_reference = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(50))
    folder_drop.put(
        "1.csv",
        b"id,date,status,words\na,2026-03-02,,Kind staff\n%b,2026-03-03,,Long wait\n" % no_reference.encode(),
    )
    folder_drop.put("2.csv", b"id,date,status,words\nc,2026-03-04,,Cold food\n")
    found, _ = channel.run_gated()
    assert sorted(channel.said("story").values()) == ["Cold food", "Kind staff"]
    assert found & {"FB-LND-027", "FB-LND-028", "FB-LND-036"} == {"FB-LND-036"}
    assert channel.rows("select record_number, check_id from landing.set_aside") == [(2, "FB-LND-036")]


def test_line_break_in_words_that_are_not_quoted_costs_its_records_alone(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    channel = channel_of(folder_drop)
    words = " ".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(150))
    folder_drop.put("1.csv", b"id,date,status,words\na,2026-03-02,,Kind staff\n%b\n" % words.encode())
    folder_drop.put("2.csv", b"id,date,status,words\nc,2026-03-04,,Cold food\n")
    channel.run_gated()
    assert channel.said("story") == {"a": "Kind staff", "c": "Cold food"}
    assert channel.rows("select distinct record_number from landing.set_aside") == [(2,)]
    assert not channel.rows("select from landing.set_aside where reason like %s", f"%{words[:20]}%")


def test_error_cells_of_a_sheet_are_no_words(channel_of: Any, folder_drop: FolderDrop) -> None:
    folder_drop.ending = "xlsx"
    channel = channel_of(folder_drop)
    folder_drop.deliver("1", ("a", "#REF!"), ("b", "#N/A"), ("c", "The #1 ward"))
    assert channel.run() == 3
    blank = "select source_record_ref from feedback.comment where comment_state = 'blank' order by 1"
    assert channel.rows(blank) == [("a",), ("b",)]
    assert channel.said("story")["c"] == "The #1 ward"


def test_words_that_a_workbook_lost_do_not_take_away_those_that_are_held(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    folder_drop.ending = "xlsx"
    channel = channel_of(folder_drop)
    folder_drop.deliver("1", ("a", "Rude staff"), ("b", "Long wait"), ("c", "Cold food"), ("d", "Kind staff"))
    channel.run_gated()
    # A formula without the value that it had, an error, a comment that somebody emptied, and a new record.
    folder_drop.deliver("2", ("a", '=CLEAN("Rude staff")'), ("b", "#REF!"), ("c", ""), ("e", "=A1"))
    assert "FB-LND-083" in channel.run_gated()[0]
    words = {"a": "Rude staff", "b": "Long wait", "c": "", "d": "Kind staff", "e": ""}
    channel.assert_shows("story", words)
    aside = "select field_name, record_number from landing.set_aside order by 2"
    assert channel.rows(aside) == [("comment.story", 1), ("comment.story", 2), ("comment.story", 4)]
    channel.run_gated()
    channel.assert_shows("story", words)
    folder_drop.deliver("3", ("a", "Rude staff, edited"))
    channel.run_gated()
    channel.assert_shows("story", {**words, "a": "Rude staff, edited"})


def test_header_that_changed_names_what_is_missing_and_what_is_new(
    channel_of: Any, folder_drop: FolderDrop
) -> None:
    channel = channel_of(folder_drop)
    folder_drop.deliver("1", ("a", "Kind staff"))
    channel.run()
    folder_drop.put("2.csv", b"ID,Date,Status,What was good\nb,2026-03-02,,Long wait\n")
    channel.run()
    assert channel.rows(
        "select missing_columns, unknown_columns from landing.delivery order by file_modified_at"
    ) == [([], []), (["words"], ["What was good"])]
