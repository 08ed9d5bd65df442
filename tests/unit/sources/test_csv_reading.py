"""Every row of a CSV file becomes a record, whatever wrote it; what had to be mended is said."""

from __future__ import annotations

import csv
import gc
import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources import stored_text
from patient_feedback.sources.columns import missing_columns, unknown_columns
from patient_feedback.sources.delivered_file import DeliveredRecord
from patient_feedback.sources.reading import read_records

HEADER = b"id,comment\n"


def payloads(records: list[Any]) -> list[dict[str, Any]]:
    return [record.payload for record in records]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(cells, cells), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    has_mark=st.booleans(),
)
def test_any_text_written_as_csv_is_read_back_unchanged(
    declare: Any, read: Any, rows: list[tuple[str, str]], delimiter: str, line_end: str, has_mark: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "comment"), *rows])
    records, file = read(declare(), text.getvalue().encode("utf-8-sig" if has_mark else "utf-8"))
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert payloads(records) == [{"id": ref, "comment": comment} for ref, comment in kept]
    assert [record.record_number for record in records] == list(range(1, len(kept) + 1))
    assert not any(record.defects for record in records)
    assert file.column_names == ("id", "comment")
    assert (file.encoding, file.is_declared_encoding) == ("utf-8", True)


def test_declared_delimiter_is_not_guessed(declare: Any, read: Any) -> None:
    source = declare(format={"delimiter": ","})
    records, file = read(source, b"id;comment\n1;fine\n")
    assert file.column_names == ("id;comment",)
    assert missing_columns(file.column_names, source) == ("id", "comment")
    assert len(records) == 1


def test_delimiter_is_found_by_the_declared_columns_not_by_the_commas_in_them(
    declare: Any, read: Any
) -> None:
    source = declare({"record_ref": "Ref"})
    records, _ = read(source, b"Ref;comment;Time, place, and person seen\n1;good, kind, quick;x\n")
    assert records[0].payload["comment"] == "good, kind, quick"


def test_cp1252_file_is_read_and_said_to_need_it(declare: Any, read: Any) -> None:
    records, file = read(declare(), "id,comment\n1,caf\u00e9 \u2019s\n".encode("cp1252"))
    assert payloads(records) == [{"id": "1", "comment": "caf\u00e9 \u2019s"}]
    assert (file.encoding, file.is_declared_encoding) == ("cp1252", False)


def test_one_cp1252_field_does_not_garble_the_rest(declare: Any, read: Any) -> None:
    content = HEADER + "1,\u00e5ngest\n".encode() + b"2,caf\xe9\n" + "3,\u00f6m\n".encode()
    records, file = read(declare(), content)
    assert [payload["comment"] for payload in payloads(records)] == ["\u00e5ngest", "caf\u00e9", "\u00f6m"]
    assert (file.encoding, file.is_declared_encoding) == ("utf-8+cp1252", False)


def test_byte_that_no_declared_encoding_knows_is_replaced_and_said(declare: Any, read: Any) -> None:
    records, _ = read(declare(format={"encodings": ["utf-8"]}), HEADER + b"1,caf\xe9\n2,fine\n")
    assert records[0].payload["comment"] == "caf\ufffd"
    assert records[0].defects == ("undecodable_byte",)
    assert records[1].defects == ()


def test_utf16_file_is_read_by_its_mark(declare: Any, read: Any) -> None:
    records, file = read(declare(), "id,comment\r\n1,\u00e5ngest\r\n".encode("utf-16"))
    assert payloads(records) == [{"id": "1", "comment": "\u00e5ngest"}]
    assert (file.encoding, file.is_declared_encoding) == ("utf-16", False)


def test_nul_byte_is_replaced_and_said(declare: Any, read: Any) -> None:
    records, _ = read(declare(), HEADER + b"1,kind\x00 staff\n2,fine\n")
    assert records[0].payload["comment"] == "kind\ufffd staff"
    assert [record.defects for record in records] == [("nul_byte",), ()]


def test_row_too_wide_keeps_its_surplus_and_too_narrow_is_said(declare: Any, read: Any) -> None:
    records, _ = read(declare(), HEADER + b"1,kind,unquoted\n2\n3,fine,\n")
    assert records[0].payload == {"id": "1", "comment": "kind", "__surplus__": ["unquoted"]}
    assert records[1].payload == {"id": "2", "comment": None}
    assert [record.defects for record in records] == [("too_many_columns",), ("too_few_columns",), ()]


def test_comment_of_5_megabytes_is_read_whole(declare: Any, read: Any) -> None:
    comment = "long " * 1_000_000
    records, _ = read(declare(), HEADER + f'1,"{comment}"\n2,fine\n'.encode())
    assert [len(payload["comment"]) for payload in payloads(records)] == [5_000_000, 4]


def test_quote_never_closed_costs_one_line_not_the_rest_of_the_file(declare: Any, read: Any) -> None:
    following = "".join(f"{number},fine\n" for number in range(2, 500)).encode()
    records, _ = read(declare(), HEADER + b'1,"never closed\n' + following)
    assert records[0].payload == {"__line__": '1,"never closed'}
    assert records[0].defects == ("unreadable_line",)
    assert [record.payload["id"] for record in records[1:]] == [str(number) for number in range(2, 500)]


def test_stray_quote_does_not_join_two_records_into_one(declare: Any, read: Any) -> None:
    # Read leniently, the quote of line 1 would pair with that of line 2 and swallow a record unseen.
    records, _ = read(declare(), HEADER + b'1,"open\n2,"kind"\n3,fine\n')
    assert [record.defects for record in records] == [("unreadable_line",), (), ()]
    assert [record.payload.get("id") for record in records] == [None, "2", "3"]


def test_injections_are_kept_as_the_text_they_are(declare: Any, read: Any) -> None:
    texts = [
        "'; DROP TABLE landing.record; --",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "%s {0} \\x00",
    ]
    rows = "".join(f'{number},"{text}"\n' for number, text in enumerate(texts))
    records, _ = read(declare(), HEADER + rows.encode())
    assert [payload["comment"] for payload in payloads(records)] == texts


def test_empty_file_is_refused_and_header_only_is_no_record(declare: Any, read: Any) -> None:
    for content in (b"", b"\xef\xbb\xbf", b"\n\n"):
        with pytest.raises(UnreadableFileError, match=r"empty|no line of column names"):
            read(declare(), content)
    records, file = read(declare(), HEADER)
    assert records == []
    assert file.column_names == ("id", "comment")


def test_binary_file_without_line_ends_is_refused_in_bounded_memory(declare: Any) -> None:
    content = b"id,comment\n" + b"x" * (33 * 2**20)
    file = read_records(io.BytesIO(content), declare())
    with pytest.raises(UnreadableFileError, match="no table of text"):
        list(file.records)


def test_header_spelt_otherwise_is_the_declared_column(declare: Any, read: Any) -> None:
    source = declare({"record_ref": "Comment ID"})
    records, file = read(source, "\ufeffcomment\u00a0 id ,COMMENT,comment,,Extra\n1,a,b,c,d\n".encode())
    assert file.column_names == ("Comment ID", "comment", "comment (2)", "column 4", "Extra")
    assert records[0].payload["comment"] == "a"
    assert missing_columns(file.column_names, source) == ()
    assert unknown_columns(file.column_names, source) == ("comment (2)", "column 4", "Extra")


def test_missing_column_is_named_unless_it_is_optional(declare: Any, read: Any) -> None:
    source = declare(
        {"service": {"column": "Service", "optional": True}, "organisation": {"column": "Trust"}}
    )
    _, file = read(source, HEADER)
    assert missing_columns(file.column_names, source) == ("Trust",)


def test_ignored_columns_never_leave_the_file(declare: Any, read: Any) -> None:
    source = declare(ignore_columns=["Label*", "Sentiment"])
    records, file = read(source, b"Sentiment,id,label A,Label B,comment\n5,1,0,1,kind\n")
    assert payloads(records) == [{"id": "1", "comment": "kind"}]
    assert file.column_names == ("id", "comment")


def test_ignored_column_does_not_land_from_a_row_of_which_nobody_knows_what_is_where(
    declare: Any, read: Any
) -> None:
    lines = (
        b'1,good,"He said "hi" to me",Joy Secret,North',
        b"2,good,kind, patient,Joy Secret,North",
        b"3,good,kind,Joy, Secret,North",
        b"Joy Secret,North",
        b"4,good,kind,Joy Secret,North",
    )
    records, file = read(
        declare(ignore_columns=["nurse"]), b"id,rating,comment,nurse,ward\n" + b"\n".join(lines)
    )
    assert "Secret" not in str(records) and "Joy" not in str(records)
    assert payloads(records) == [
        {"__line__": f"({len(lines[0])} characters)"},
        {"id": "2", "rating": "good", "comment": "kind", "__surplus__": "(1 values)"},
        {"id": "3", "rating": "good", "comment": "kind", "__surplus__": "(1 values)"},
        {"__line__": "(2 values of 5)"},
        {"id": "4", "rating": "good", "comment": "kind", "ward": "North"},
    ]
    assert [record.defects for record in records] == [
        ("unreadable_line",),
        ("too_many_columns",),
        ("too_many_columns",),
        ("too_few_columns",),
        (),
    ]
    assert file.column_names == ("id", "rating", "comment", "ward")


def test_ignored_column_that_stands_twice_is_ignored_twice(declare: Any, read: Any) -> None:
    records, file = read(
        declare(ignore_columns=["nurse"]), b"id,nurse,comment,nurse\n1,Joy Secret,kind,Ann Secret\n"
    )
    assert payloads(records) == [{"id": "1", "comment": "kind"}]
    assert file.column_names == ("id", "comment")


def test_lines_above_the_declared_header_are_passed_over(declare: Any, read: Any) -> None:
    records, _ = read(declare(format={"header_row": 3}), b"Export\nof May\nid,comment\n1,kind\n")
    assert payloads(records) == [{"id": "1", "comment": "kind"}]


def test_stream_stays_open_for_its_opener(declare: Any, read: Any) -> None:
    stream = io.BytesIO(HEADER + b"1,kind\n2,fine\n")
    file = read_records(stream, declare())
    next(file.records)
    del file
    gc.collect()
    assert not stream.closed


def test_memory_does_not_grow_with_the_number_of_rows(declare: Any) -> None:
    def peak(row_count: int) -> int:
        content = io.BytesIO(HEADER + b"1,a comment of some length that patients write\n" * row_count)
        tracemalloc.start()
        for _ in read_records(content, declare()).records:
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(20_000) < 2 * peak(2_000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    header=st.sampled_from([HEADER, b'"id","comment\r\nin your words"\r\n']),
    rest=st.text(st.sampled_from('a,"\n\r;é'), max_size=60),
    length=st.integers(1, 9),
)
def test_how_much_is_read_at_a_time_changes_nothing(
    declare: Any, header: bytes, rest: str, length: int
) -> None:
    content = header + rest.encode()

    def read_by(block_length: int) -> tuple[tuple[str, ...], list[DeliveredRecord]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stored_text, "BLOCK_LENGTH", block_length)
            file = read_records(io.BytesIO(content), declare())
            return file.column_names, list(file.records)

    assert read_by(length) == read_by(2**16)


@pytest.mark.parametrize("after", [b"", b"\n", b"\n2,kind\n"])
def test_line_over_the_limit_is_refused_wherever_it_ends(
    declare: Any, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    monkeypatch.setattr(stored_text, "BLOCK_LENGTH", 64)
    monkeypatch.setattr(stored_text, "MAXIMUM_LINE_LENGTH", 100)
    content = HEADER + b"1," + b"x" * 99 + after
    with pytest.raises(UnreadableFileError, match="no table of text"):
        list(read_records(io.BytesIO(content), declare()).records)
