"""Every line of a JSON Lines file becomes a record; a line that is no object is kept as it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.columns import missing_columns


@pytest.fixture
def source(declare: Any) -> Any:
    return declare({"record_ref": "id"}, kind="jsonl_file")


def test_nested_objects_become_dotted_columns(declare: Any, read: Any) -> None:
    source = declare({"record_ref": "id"}, kind="jsonl_file", ignore_columns=["labels.*"])
    line = {"ID": 7, "answers": {"q1": {"value": 4}, "q2": None}, "tags": ["a", "b"], "labels": {"x": 1}}
    records, file = read(source, json.dumps(line).encode() + b'\r\n\n{"id": "8", "comment": "kind"}')
    assert records[0].payload == {"id": 7, "answers.q1.value": 4, "answers.q2": None, "tags": ["a", "b"]}
    assert records[1].payload == {"id": "8", "comment": "kind"}
    assert file.column_names == ("id", "answers.q1.value", "answers.q2", "tags", "comment")
    assert missing_columns(file.column_names, source) == ()


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1, "comment": "cut',
        "[1, 2]",
        '"text"',
        "null",
        "not json",
        '{"id": ' + "[" * 20_000,
        '{"id": 2, "comment": ' + "[" * 500 + "]" * 500 + "}",
        '{"id": 2, "comment": ' + '{"a": ' * 500 + "1" + "}" * 501,
        "9" * 5_000,
    ],
)
def test_bad_line_is_kept_with_its_reason_and_the_rest_goes_on(source: Any, read: Any, line: str) -> None:
    records, _ = read(source, f'{{"id": 1}}\n{line}\n{{"id": 3}}\n'.encode())
    assert [record.record_number for record in records] == [1, 2, 3]
    assert records[1].payload == {"__line__": line}
    assert records[1].defects == ("unreadable_line",)
    assert records[2].payload == {"id": 3}


def test_ignored_key_does_not_land_nested_in_a_list_or_from_a_bad_line(declare: Any, read: Any) -> None:
    source = declare({"record_ref": "id"}, kind="jsonl_file", ignore_columns=["nurse", "staff.name"])
    lines = [
        '{"id": "1", "comment": "kind", "nurse": "Joy Secret"',
        '{"id": "2", "comment": "kind", "Nurse": {"name": "Joy Secret", "at": {"home": "Secret"}}, "nurses": 2}',
        '{"id": "3", "comment": "kind", "staff": [{"name": "Joy Secret", "role": "nurse"}, [{"name": "Secret"}]]}',
        '{"id": "4", "comment": "kind", "staff": {"name": "Joy Secret", "role": "nurse"}}',
    ]
    records, file = read(source, "\n".join(lines).encode())
    assert "Secret" not in str(records)
    assert [record.payload for record in records] == [
        {"__line__": f"({len(lines[0])} characters)"},
        {"id": "2", "comment": "kind", "nurses": 2},
        {"id": "3", "comment": "kind", "staff": [{"role": "nurse"}, [{}]]},
        {"id": "4", "comment": "kind", "staff.role": "nurse"},
    ]
    assert file.column_names == ("id", "comment", "nurses", "staff", "staff.role")


def test_what_the_database_cannot_store_is_mended_and_said(source: Any, read: Any) -> None:
    content = (
        b'{"id": 1, "comment": "nul \\u0000 here", "k\\u0000": [{"deep": "\\ud83d"}]}\n'
        b'{"id": 2, "comment": "caf\xe9"}\n'
        b'{"id": 3, "score": NaN, "big": 1e999, "fine": 1.5}\n'
    )
    records, file = read(source, content)
    assert records[0].payload == {"id": 1, "comment": "nul \ufffd here", "k\ufffd": [{"deep": "\ufffd"}]}
    assert records[0].defects == ("nul_byte", "undecodable_byte")
    assert records[1].payload["comment"] == "caf\u00e9"
    assert records[2].payload == {"id": 3, "score": "NaN", "big": "1e999", "fine": 1.5}
    assert (file.encoding, file.is_declared_encoding) == ("cp1252", False)


def test_file_that_is_empty_or_one_array_is_refused(source: Any, read: Any) -> None:
    with pytest.raises(UnreadableFileError, match="empty"):
        read(source, b"")
    with pytest.raises(UnreadableFileError, match="one object per line"):
        read(source, json.dumps([{"id": 1}], indent=2).encode())


def test_record_may_be_nested_and_hold_many_brackets(source: Any, read: Any) -> None:
    line = {"id": 1, "comment": "[" * 500, "deep": json.loads("[" * 60 + "]" * 60)}
    records, _ = read(source, json.dumps(line).encode())
    assert records[0].payload == line and records[0].defects == ()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('{"id": 1, "comment": "kind", "Comment": null}', {"comment": "kind", "comment (2)": None}),
        ('{"id": 1, "Comment": null, "comment": "kind"}', {"comment": "kind", "comment (2)": None}),
        ('{"id": 1, "comment": "kind", "comment": null}', {"comment": "kind", "comment (2)": None}),
        ('{"id": 1, "a": {"b": 1}, "a.b": 2}', {"a.b": 2, "a.b (2)": 1}),
    ],
)
def test_key_that_stands_twice_in_a_line_is_numbered(
    source: Any, read: Any, line: str, kept: dict[str, Any]
) -> None:
    records, file = read(source, line.encode())
    assert records[0].payload == {"id": 1, **kept}
    assert set(file.column_names) == {"id", *kept}


def test_spelling_that_changes_from_line_to_line_is_one_column(source: Any, read: Any) -> None:
    records, file = read(source, b'{"id": 1, "Comment": "kind"}\n{"ID": 2, "comment": "fine"}')
    assert [record.payload for record in records] == [
        {"id": 1, "comment": "kind"},
        {"id": 2, "comment": "fine"},
    ]
    assert file.column_names == ("id", "comment")


SCORE = {"column": "score", "instrument": "ward", "version": "1", "item": "overall"}
WHOLE = '{"id": 1, "status": "", "comment": "an old line", "score": 4}'


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ([WHOLE, '{"id": 2, "text": "The nurse was rude", "score": 4}'], ("comment",)),
        (['{"id": 2, "text": "The nurse was rude", "score": 4}', WHOLE], ("comment",)),
        ([WHOLE, '{"id": 2, "comment": {"plain": "The nurse was rude"}, "score": 4}'], ("comment",)),
        ([WHOLE, '{"id": 2, "comment": "kind", "rating": "5"}'], ("score",)),
        # What is empty may be left out.
        ([WHOLE, '{"id": 2}'], ()),
        ([WHOLE, '{"id": 2, "comment": null, "text": "The nurse was rude", "score": null}'], ()),
        ([WHOLE, '{"id": 2, "device": "phone", "seconds": 240}'], ()),
        (['{"id": 2, "note": "by a carer"}', '{"id": 3, "note": "x", "comment": "kind", "score": 1}'], ()),
        # A withdrawal says nothing else.
        ([WHOLE, '{"id": 2, "status": "withdrawn", "reason": "asked by phone", "code": 3}'], ()),
    ],
)
def test_column_that_some_lines_seem_to_have_renamed_counts_as_missing(
    declare: Any, read: Any, lines: list[str], missing: tuple[str, ...]
) -> None:
    mapping = {
        "withdrawn": {"column": "status", "values": ["withdrawn"], "optional": True},
        "rating": {**SCORE, "number": {"min": 1, "max": 5}},
    }
    source = declare(mapping, kind="jsonl_file")
    records, file = read(source, "\n".join(lines).encode())
    assert missing_columns(file.column_names, source) == missing
    assert all(not record.defects for record in records)


def test_answer_that_is_a_code_is_known_by_its_codes(declare: Any, read: Any) -> None:
    source = declare({"rating": {**SCORE, "codes": {"Very good": 1, "Poor": 2}}}, kind="jsonl_file")
    for value, missing in (("very good", ("score",)), ("phone", ())):
        line = json.dumps({"id": 2, "comment": "kind", "other": value})
        _, file = read(source, f"{WHOLE}\n{line}".encode())
        assert missing_columns(file.column_names, source) == missing


def test_key_that_is_ignored_is_no_renamed_column(declare: Any, read: Any) -> None:
    source = declare(kind="jsonl_file", ignore_columns=["text"])
    _, file = read(source, f'{WHOLE}\n{{"id": 2, "text": "Typed by a nurse"}}'.encode())
    assert missing_columns(file.column_names, source) == ()
