"""A workbook's shown values become text; what Excel does to cells is said or undone."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources import lost_formulas


def workbook(rows: list[list[Any]], sheet: str = "Sheet", before: tuple[str, ...] = ()) -> bytes:
    book = Workbook()
    active = book.active
    assert active is not None
    active.title = before[0] if before else sheet
    target = book.create_sheet(sheet) if before else active
    for row in rows:
        target.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.fixture
def source(declare: Any) -> Any:
    return declare(kind="xlsx_file")


def test_cells_become_their_plain_text(source: Any, read: Any) -> None:
    cells = [
        1,
        2.0,
        2.5,
        True,
        datetime(2025, 3, 4),  # noqa: DTZ001
        datetime(2025, 3, 4, 9, 30),  # noqa: DTZ001
        date(2025, 3, 5),
        time(9, 5),
        "x",
    ]
    header = ["id", *[f"c{number}" for number in range(1, len(cells))]]
    records, file = read(source, workbook([header, cells]))
    assert list(records[0].payload.values()) == [
        "1", "2", "2.5", "true", "2025-03-04", "2025-03-04T09:30:00", "2025-03-05", "09:05:00", "x",
    ]  # fmt: skip
    assert file.encoding is None
    assert file.is_declared_encoding


def test_error_cells_stay_text_and_empty_rows_are_no_records(source: Any, read: Any) -> None:
    rows = [
        ["id", "comment", "service"],
        ["1", "kind", "#REF!"],
        [None, None, None],
        [" "],
        ["2", None, None],
    ]
    records, _ = read(source, workbook(rows))
    assert [record.payload for record in records] == [
        {"id": "1", "comment": "kind", "service": "#REF!"},
        {"id": "2", "comment": None, "service": None},
    ]
    assert [record.defects for record in records] == [(), ()]


def changed(content: bytes, *changes: tuple[str, str]) -> bytes:
    """Return the workbook with these replacements in its parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            for before, after in changes:
                part = part.replace(before.encode(), after.encode())
            new.writestr(name, part)
    return target.getvalue()


def test_formula_that_was_saved_without_its_value_is_a_lost_value_and_not_an_empty_cell(
    source: Any, read: Any
) -> None:
    rows = [["id", "comment", "service"], ["1", None, "=A2"], [], ["2", "=CLEAN(A1)", "x"], ["=ROW()"], ["3"]]
    records, _ = read(source, workbook(rows))
    assert [record.payload for record in records] == [
        {"id": "1", "comment": None, "service": "#N/A"},
        {"id": "2", "comment": "#N/A", "service": "x"},
        {"id": "#N/A", "comment": None, "service": None},
        {"id": "3", "comment": None, "service": None},
    ]


@pytest.mark.parametrize(
    ("saved", "shown"),
    [
        ("<c><f>LOST()</f><v>7</v></c>", "7"),
        ('<c t="str"><f>LOST()</f><v>kind</v></c>', "kind"),
        ('<c t="str"><f>LOST()</f><v></v></c>', None),
        ('<c t="str"><f>LOST()</f></c>', "#N/A"),
        ('<c t="e"><f>LOST()</f><v>#REF!</v></c>', "#REF!"),
        ("<c><f>LOST()</f></c>", "#N/A"),
        ('<c><f t="shared" si="0"/></c>', "#N/A"),
        ("<c/>", None),
    ],
)
def test_formula_shows_the_value_that_was_saved_with_it(
    source: Any, read: Any, saved: str, shown: str | None
) -> None:
    content = workbook([["id", "comment"], ["1", "=LOST()"], ["2", "fine"]])
    cell = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    begin = cell.index('<c r="B2"')
    whole = cell[begin : cell.index("</c>", begin) + len("</c>")]
    records, _ = read(source, changed(content, (whole, saved.replace("<c", '<c r="B2"', 1))))
    assert [record.payload["comment"] for record in records] == [shown, "fine"]


def test_formula_is_found_wherever_the_sheet_is_cut_to_be_scanned(
    source: Any, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = workbook([["id", "comment"], ["1", "=LOST()"]])
    for length in range(1, 8):
        monkeypatch.setattr(lost_formulas, "SCANNED_BYTES", length)
        records, _ = read(source, content)
        assert records[0].payload["comment"] == "#N/A"


def test_characters_that_a_workbook_writes_in_its_own_way_are_those_that_were_meant(
    source: Any, read: Any
) -> None:
    content = workbook([["id", "com_MARK_ment"], ["1", "Line one_MARK_\nLine two, file_x12_y"]])
    records, file = read(source, changed(content, ("_MARK_", "_x000D_")))
    assert file.column_names == ("id", "com\rment")
    assert records[0].payload["com\rment"] == "Line one\r\nLine two, file_x12_y"


def test_value_right_of_the_header_is_surplus(source: Any, read: Any) -> None:
    records, _ = read(source, workbook([["id", "comment"], ["1", "kind", None, "note"]]))
    assert records[0].payload["__surplus__"] == [None, "note"]
    assert records[0].defects == ("too_many_columns",)


def test_value_right_of_the_header_is_only_counted_where_a_column_is_ignored(declare: Any, read: Any) -> None:
    source = declare(kind="xlsx_file", ignore_columns=["nurse"])
    records, _ = read(source, workbook([["id", "nurse", "comment"], ["1", "Joy Secret", "kind", "Secret"]]))
    assert records[0].payload == {"id": "1", "comment": "kind", "__surplus__": "(1 values)"}
    assert records[0].defects == ("too_many_columns",)


def test_declared_sheet_and_header_row_are_read(declare: Any, read: Any) -> None:
    content = workbook([["Complaints of May"], ["id", "comment"], ["1", "kind"]], "Data", before=("Notes",))
    source = declare(kind="xlsx_file", format={"sheet": "Data", "header_row": 2})
    records, _ = read(source, content)
    assert [record.payload for record in records] == [{"id": "1", "comment": "kind"}]
    with pytest.raises(UnreadableFileError, match=r"no sheet 'Answers'; its sheets are: Notes, Data"):
        read(declare(kind="xlsx_file", format={"sheet": "Answers"}), content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"id,comment\n1,kind\n", "no Excel workbook"),
        (b"PK\x03\x04 cut off", "no Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx"),
        (workbook([]), "no row of column names"),
    ],
)
def test_file_that_is_no_table_of_a_workbook_is_refused(
    source: Any, read: Any, content: bytes, said: str
) -> None:
    with pytest.raises(UnreadableFileError, match=said):
        read(source, content)


def test_size_that_an_exporter_wrote_wrongly_hides_no_row(source: Any, read: Any) -> None:
    original = zipfile.ZipFile(io.BytesIO(workbook([["id", "comment"], ["1", "kind"], ["2", "fine"]])))
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as target:
        for name in original.namelist():
            part = original.read(name)
            target.writestr(name, part.replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1"'))
    assert b'<dimension ref="A1"' in zipfile.ZipFile(changed).read("xl/worksheets/sheet1.xml")
    records, _ = read(source, changed.getvalue())
    assert [record.payload["comment"] for record in records] == ["kind", "fine"]


def test_header_only_is_no_record(source: Any, read: Any) -> None:
    records, file = read(source, workbook([["id", "comment"]]))
    assert records == []
    assert file.column_names == ("id", "comment")


def test_damage_in_the_middle_of_a_sheet_refuses_the_file(source: Any, read: Any) -> None:
    whole = workbook([["id", "comment"], *[[str(number), "kind"] for number in range(2000)]])
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[:-400] if name.endswith("sheet1.xml") else content)
    with pytest.raises(UnreadableFileError, match="damaged"):
        read(source, damaged.getvalue())


@pytest.mark.parametrize(("allowed", "is_read"), [(1, False), (8, True)])
def test_workbook_that_unpacks_to_more_than_is_allowed_is_refused(
    declare: Any, read: Any, allowed: int, is_read: bool
) -> None:
    source = declare(kind="xlsx_file", where={"path": "delivered", "largest_unpacked_mb": allowed})
    content = io.BytesIO(workbook([["id", "comment"], ["1", "kind"]]))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/padding.bin", bytes(2 * 1024 * 1024))
    if is_read:
        assert len(read(source, content.getvalue())[0]) == 1
    else:
        with pytest.raises(UnreadableFileError, match=r"more than 1 MB.*where\.largest_unpacked_mb"):
            read(source, content.getvalue())


def test_larger_bound_has_refused_files_read_again_and_the_usual_one_has_not(declare: Any) -> None:
    usual = declare(kind="xlsx_file", where={"path": "delivered"})
    stated = declare(kind="xlsx_file", where={"path": "delivered", "largest_unpacked_mb": 1024})
    larger = declare(kind="xlsx_file", where={"path": "delivered", "largest_unpacked_mb": 4096})
    assert usual.declaration_sha256 == stated.declaration_sha256 != larger.declaration_sha256
