"""What was planted where: defects for the checks to find, identifiers for redaction to find."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True)
class PlantedDefect:
    """`record_number` counts the records of the file from 1, its header not counted."""

    source_slug: str
    file_name: str
    record_number: int
    record_ref: str
    defect: str


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
            self.identifiers += [PlantedIdentifier(source_slug, record_ref, entity, value) for value in values]

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, kind, rows in (
            ("defects.csv", PlantedDefect, self.defects),
            ("identifiers.csv", PlantedIdentifier, self.identifiers),
        ):
            with (folder / name).open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow([column.name for column in fields(kind)])
                writer.writerows(sorted(astuple(row) for row in rows))
