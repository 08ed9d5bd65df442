"""A complaints register: two yearly workbooks, one row per complaint, several subjects in one cell."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sample_sources.bank import Bank, Entry
from sample_sources.files import write_workbook
from sample_sources.friends_and_family import SERVICES
from sample_sources.people import draw_person, pick
from sample_sources.planting import PlantedDefect, Planting

SOURCE_SLUG = "care_board_complaints"
SEED = 20241003
COLUMNS = (
    "Complaint ref", "Version", "Date received", "Organisation", "Service", "Subjects", "Severity", "Status",
    "Received by", "Made by", "Description", "Age band", "Sex", "First language", "IMD quintile",
    "Disability",
)  # fmt: skip
STATUSES = {"Closed - upheld": 30, "Closed - partly upheld": 35, "Closed - not upheld": 15, "Open": 20}
MADE_BY = {"Patient": 60, "Relative or carer": 35, "Advocate": 5}
Row = dict[str, Any]


def make_complaints(bank: Bank, into: Path, planting: Planting) -> None:
    """Write the two workbooks below `into`/care_board_complaints and note what was planted in them."""
    random = Random(SEED)  # noqa: S311 - seeded, so that the files come out the same
    drawn = [(_day(random, entry), order, entry) for order, entry in enumerate(bank.complaints)]
    files: dict[str, list[Row]] = {"complaints_2024_25.xlsx": [], "complaints_2025_26.xlsx": []}
    for number, (day, _, entry) in enumerate(sorted(drawn, key=lambda each: each[:2]), start=1):
        row = _row(random, number, day, entry)
        name = "complaints_2024_25.xlsx" if day < date(2025, 10, 1) else "complaints_2025_26.xlsx"
        files[name].append(row)
        planting.add_identifiers(SOURCE_SLUG, row["Complaint ref"], entry.identifiers)
    _plant_defects(random, files, planting)
    for name, rows in files.items():
        cells = [[row[column] for column in COLUMNS] for row in rows]
        write_workbook(into / "care_board_complaints" / name, "Complaints", COLUMNS, cells)


def _day(random: Random, entry: Entry) -> date:
    return entry.since + timedelta(days=random.randrange((entry.until - entry.since).days + 1))


def _row(random: Random, number: int, day: date, entry: Entry) -> Row:
    code = random.choice(entry.services)
    service = SERVICES[code]
    person = draw_person(random, code, entry)
    return {
        "Complaint ref": f"CB-{day:%y}-{number:04d}",
        "Version": 1,
        "Date received": day,
        "Organisation": service.trust,
        "Service": service.name,
        "Subjects": "; ".join(entry.subjects),
        "Severity": entry.severity,
        "Status": entry.status or pick(random, STATUSES),
        "Received by": pick(random, {"E-mail": 45, "Web form": 30, "Letter": 15, "Phone": 10}),
        "Made by": pick(random, MADE_BY),
        "Description": entry.text,
        "Age band": person.age_band or None,
        "Sex": person.sex or None,
        "First language": person.language or None,
        "IMD quintile": int(person.quintile) if person.quintile else None,
        "Disability": person.disability or None,
    }


def _plant_defects(random: Random, files: dict[str, list[Row]], planting: Planting) -> None:
    first, second = files
    taken: set[str] = set()
    noted: list[tuple[str, Row, str]] = []

    def change(name: str, defect: str, **fields: Any) -> Row:
        row = random.choice([row for row in files[name] if row["Complaint ref"] not in taken])
        taken.add(row["Complaint ref"])
        row.update({column.replace("_", " "): value for column, value in fields.items()})
        noted.append((name, row, defect))
        return row

    def send_again(row: Row, name: str, defect: str, **fields: Any) -> None:
        again = dict(row) | {column.replace("_", " "): value for column, value in fields.items()}
        files[name].append(again)
        noted.append((name, again, defect))

    for name, rows in files.items():
        for row in rows:
            if row["Status"] == "Withdrawn":
                taken.add(row["Complaint ref"])
                noted.append((name, row, "withdrawn"))
    change(first, "withdrawn", Status="Withdrawn")
    change(second, "withdrawn", Status="Withdrawn")
    change(second, "withdrawn", Status="Withdrawn")
    for defect, status in (("withdrawn_later", "Withdrawn"), ("edited_later", "Closed - upheld")):
        send_again(change(first, defect, Status="Open"), second, defect, Version=2, Status=status)
    change(first, "spreadsheet_error", Service="#REF!")
    change(second, "spreadsheet_error", Service="#REF!")
    send_again(change(second, "duplicate_row"), second, "duplicate_row")
    noted.pop(-2)
    for name in (first, second):
        row = change(name, "date_as_text")
        row["Date received"] = row["Date received"].strftime("%d/%m/%Y")
    for name, planted, defect in noted:
        number = next(number for number, row in enumerate(files[name], start=1) if row is planted)
        planting.defects.append(PlantedDefect(SOURCE_SLUG, name, number, planted["Complaint ref"], defect))
