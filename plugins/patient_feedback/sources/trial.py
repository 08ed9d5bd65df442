"""Tries a declaration on the newest file that lies at its place, before anything runs: counts and names, no values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from patient_feedback.sources.columns import missing_columns, unknown_columns
from patient_feedback.sources.dates import resolve_dates
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.files import DEFAULT_PATTERNS, count_unmatched, list_files, open_file
from patient_feedback.sources.mapping import MappedRecord, map_record
from patient_feedback.sources.reading import read_records

MOST_RECORDS = 1_000


@dataclass(slots=True)
class Trial:
    """What a declaration makes of a file's first records; `file_name` is None where no file is there yet."""

    file_name: str | None = None
    record_count: int = 0
    column_names: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    unmatched_count: int = 0
    """Files of the folder that no pattern matches."""
    unread: Counter[str] = field(default_factory=Counter)
    """Records in which a field's value is none that the declaration reads, by what it says of them."""

    def remarks(self) -> list[str]:
        """Return what a person should look at, a line each."""
        said = []
        if self.unmatched_count:
            said.append(
                f"files whose names match no pattern, and that are never read: {self.unmatched_count}"
            )
        if self.unknown_columns:
            said.append(f"columns that are neither mapped nor ignored: {', '.join(self.unknown_columns)}")
        said += [f"{what}: {count} of {self.record_count}" for what, count in self.unread.items()]
        return said


def is_within_reach(source: Source) -> bool:
    """Tell whether the files lie on a disk, where a look costs nothing and needs no key."""
    return source.where is not None and "://" not in source.where.path


def try_newest_file(source: Source) -> Trial:
    """Return what the declaration makes of the newest file.

    Raises UnreadableFileError where no reader can read it, FeedbackError where the place cannot be listed.
    """
    found = list_files(source)
    unmatched_count = count_unmatched(source)
    if not found:
        return Trial(unmatched_count=unmatched_count)
    newest = found[-1]
    with open_file(newest) as stream:
        file = read_records(stream, source)
        records = list(islice(file.records, MOST_RECORDS))
    names = file.column_names
    missing, unknown = missing_columns(names, source), unknown_columns(names, source)
    # A pseudonym would need the key, and is not looked at.
    mapped = [map_record(record, source, lambda ref: ref) for record in records]
    trial = Trial(newest.name, len(mapped), names, missing, unknown, unmatched_count)
    for record in mapped:
        trial.unread.update(_unread(record))
    if source.mapping.submitted_on is not None:
        facts = [record.date_fact for record in mapped]
        date_of = resolve_dates(lambda: iter(facts), source)
        undated = sum(date_of(fact).submitted_on is None for fact in facts)
        formats = ", ".join(source.mapping.submitted_on.formats)
        trial.unread.update({f"mapping.submitted_on reads no date ({formats})": undated})
    trial.unread = +trial.unread
    return trial


def _unread(record: MappedRecord) -> list[str]:
    """Return what a record has that the declaration does not read; each once, however often it stands there."""
    said = []
    if record.source_record_ref is None:
        said.append("mapping.record_ref is empty")
    for name in record.unmapped_fields:
        said.append(f"mapping: {name} is not among its declared values")
    for answer in record.answers:
        if not answer.is_documented:
            said.append(f"mapping: {answer.item_slug} is none of its codes, nor in its range")
    for figure in record.figures:
        if not figure.is_documented:
            said.append(f"mapping.figures: {figure.measure_slug} is no number that the declaration reads")
    return list(dict.fromkeys(said))


def expected_names(source: Source) -> str:
    """Return which names a file must have to be taken."""
    assert source.where is not None
    return source.where.pattern or " or ".join(DEFAULT_PATTERNS[source.kind])
