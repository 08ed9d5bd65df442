"""What was planted where: defects for the checks to find, identifiers for redaction to find."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

CHECK_OF_DEFECT = {
    "other_encoding": "FB-LND-005",
    "unknown_column": "FB-LND-006",
    "row_too_wide": "FB-LND-022",
    "row_too_narrow": "FB-LND-023",
    "unreadable_line": "FB-LND-024",
    "missing_record_ref": "FB-LND-027",
    "duplicate_row": "FB-LND-029",
    "same_ref_other_content": "FB-LND-030",
    "repeated_in_later_file": "FB-LND-031",
    "question_spelling_variant": "FB-LND-033",
    "unreadable_date": "FB-LND-040",
    "future_date": "FB-LND-042",
    "month_first_date": "FB-LND-044",
    "date_as_text": "FB-LND-044",
    "no_break_space_in_service": "FB-LND-047",
    "spreadsheet_error": "FB-LND-048",
    "unknown_attribute_value": "FB-LND-049",
    "day_and_month_swapped": "FB-LND-060",
    "month_first_date_that_reads_both_ways": "FB-LND-061",
    "undocumented_rating": "FB-LND-070",
    "answer_out_of_range": "FB-LND-070",
    "rating_differs_within_response": "FB-LND-073",
    "spreadsheet_error_in_comment": "FB-LND-083",
    "control_character_in_comment": "FB-LND-084",
    "markup_in_comment": "FB-LND-085",
    "formula_in_comment": "FB-LND-086",
    "damaged_encoding_in_comment": "FB-LND-087",
    "undeclared_question": "FB-LND-088",
    "sql_in_comment": "",
    "withdrawn": "",
    "withdrawn_later": "",
    "edited_later": "",
}


@dataclass(frozen=True)
class PlantedDefect:
    """`record_number` counts the records of the file from 1, without its header; 0 is the file as a whole."""

    source_slug: str
    file_name: str
    record_number: int
    record_ref: str
    defect: str

    @property
    def check_id(self) -> str:
        """The check that finds it; empty where it is for the account of the delivery, not for a check."""
        return CHECK_OF_DEFECT[self.defect]


@dataclass(frozen=True)
class PlantedIdentifier:
    source_slug: str
    record_ref: str
    entity: str
    value: str


@dataclass
class Planting:
    defects: list[PlantedDefect] = field(default_factory=list)
    identifiers: list[PlantedIdentifier] = field(default_factory=list)

    def add_identifiers(self, source_slug: str, record_ref: str, found: Mapping[str, Sequence[str]]) -> None:
        for entity, values in found.items():
            self.identifiers += [
                PlantedIdentifier(source_slug, record_ref, entity, value) for value in values
            ]

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        defects = sorted((*astuple(defect), defect.check_id) for defect in self.defects)
        _write(
            folder / "defects.csv", [*(column.name for column in fields(PlantedDefect)), "check_id"], defects
        )
        identifiers = sorted(astuple(identifier) for identifier in self.identifiers)
        _write(folder / "identifiers.csv", [column.name for column in fields(PlantedIdentifier)], identifiers)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
