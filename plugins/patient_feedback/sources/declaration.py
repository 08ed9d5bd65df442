"""What `sources.yml` may say: the sources, where their files lie, how their columns map to the contract.

Every scalar of the file is read as text and the field's own type decides what it means, so that `no`,
`007` and `1.10` stay what their author wrote. `python -m patient_feedback.sources.declaration` prints
the JSON Schema that editors complete from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from patient_feedback.declaration_problems import Problem, read_yaml, render_problems, validation_problems
from patient_feedback.errors import DeclarationError
from patient_feedback.sources.declared import (
    ColumnName,
    Declared,
    EncodingName,
    LanguageCode,
    Refusal,
    Slug,
    cron,
    location,
)
from patient_feedback.sources.field_mapping import FieldMapping
from patient_feedback.sources.spelling import loose_key

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


LARGEST_UNPACKED_MB = 1024
LARGEST_DOWNLOAD_MB = 2048


class SourceKind(StrEnum):
    """What a source speaks; a kind that is asked over a connection has a module of its name in this package."""

    CSV_FILE = "csv_file"
    XLSX_FILE = "xlsx_file"
    JSONL_FILE = "jsonl_file"
    TRANSCRIPT_FILE = "transcript_file"
    HCAHPS_FILE = "hcahps_file"
    NHS_FFT_FILE = "nhs_fft_file"
    CARE_OPINION = "care_opinion"
    FHIR_BULK = "fhir_bulk"
    FHIR_SEARCH = "fhir_search"
    GOOGLE_REVIEWS = "google_reviews"
    QUALTRICS = "qualtrics"
    SQL_TABLE = "sql_table"
    SURVEY_MONKEY = "survey_monkey"

    @property
    def is_file(self) -> bool:
        """True where the source delivers files; else it is asked for its records."""
        return self.value.endswith("_file")


class Where(Declared):
    """Where the source's files lie."""

    path: Annotated[str, Field(min_length=1), AfterValidator(location)]
    """A file, a folder, or a URL such as s3://bucket/prefix or sftp://host/folder. ${NAME} stands for an
    environment variable; a relative path starts at the folder of this file."""
    pattern: str | None = None
    """Which files of a folder, such as fft_*.csv. Default: the usual ending of the kind."""
    settle_seconds: Annotated[int, Field(ge=0)] = 0
    """A file changed less than so many seconds ago counts as still being written and is left alone."""
    manifest: Annotated[str, Field(min_length=1)] | None = None
    """Which files beside the deliveries list them (name, number of records, SHA-256), such as *.manifest.json: JSON,
    CSV or lines of sha256sum. A file that none of them lists yet waits; one whose hash differs is refused."""

    largest_unpacked_mb: Annotated[int, Field(ge=1)] = LARGEST_UNPACKED_MB
    """A zip or workbook that unpacks to more is refused: small files can be made that would fill a disk."""


class Format(Declared):
    """How the files are written."""

    encodings: Annotated[list[EncodingName], Field(min_length=1)] = ["utf-8", "cp1252"]
    """Text encodings, the expected one first; text that needs another is read with it and reported."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """csv_file, hcahps_file: the character between columns. Left out: found among , ; | and tab."""
    sheet: str | None = None
    """xlsx_file, nhs_fft_file: the sheet's name. Left out: the first sheet; of a monthly workbook the first that
    holds figures."""
    setting: Annotated[str, Field(min_length=1)] | None = None
    """nhs_fft_file: whose test it is, such as Inpatient, where the workbook does not say it."""
    header_row: Annotated[int, Field(ge=1)] = 1
    """csv_file, xlsx_file: the line that holds the column names, counted from 1."""
    patient_roles: Annotated[list[str], Field(min_length=1)] = ["patient", "caller", "carer"]
    """transcript_file: the roles of speakers whose turns are feedback; nobody else's words are kept."""


class Request(Declared):
    """What to ask a system for, and how fast; how to reach it is in its Airflow connection."""

    questionnaire: Annotated[str, Field(min_length=1)] | None = None
    """fhir_search, fhir_bulk: the canonical URL of the questionnaire whose responses are wanted."""
    survey: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """qualtrics, survey_monkey: the survey's id."""
    place: Annotated[str, Field(pattern=r"^accounts/[^/]+/locations/[^/]+$")] | None = None
    """google_reviews: the location, such as accounts/123/locations/456."""
    table: Annotated[str, Field(pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$")] | None = None
    """sql_table: the table or view, with its schema where it has one."""
    key_column: ColumnName | None = None
    """sql_table: the column that tells one record from all others and never changes."""
    updated_column: ColumnName | None = None
    """sql_table: the column that says when a record was last changed."""
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Records asked for at a time."""
    overlap_minutes: Annotated[int, Field(ge=0)] = 180
    """So far behind the newest record that was seen the next run begins: clocks differ, and records come late."""
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    """At most so many requests a second. Left out: what the kind allows."""
    largest_vanished_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Where more than this share of the records that are held is no longer shown (and more than 20 of them), the run
    stops and a person decides: a system that shows nothing by mistake must not withdraw everything."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """A request that is not answered in so many seconds is tried again."""
    largest_download_mb: Annotated[int, Field(ge=1)] = LARGEST_DOWNLOAD_MB
    """fhir_bulk, qualtrics: a file of an export that is larger, packed or unpacked, is not read."""


_OF_ALL_HTTP = {
    "page_size": False,
    "overlap_minutes": False,
    "largest_vanished_share": False,
    "requests_per_second": False,
    "timeout_seconds": False,
}
REQUEST_FIELDS: dict[SourceKind, dict[str, bool]] = {
    SourceKind.CARE_OPINION: _OF_ALL_HTTP,
    SourceKind.FHIR_BULK: {"questionnaire": True, "largest_download_mb": False, **_OF_ALL_HTTP},
    SourceKind.FHIR_SEARCH: {"questionnaire": True, **_OF_ALL_HTTP},
    SourceKind.GOOGLE_REVIEWS: {"place": True, **_OF_ALL_HTTP},
    SourceKind.QUALTRICS: {"survey": True, "largest_download_mb": False, **_OF_ALL_HTTP},
    SourceKind.SURVEY_MONKEY: {"survey": True, **_OF_ALL_HTTP},
    SourceKind.SQL_TABLE: {
        "table": True,
        "key_column": True,
        "updated_column": True,
        "page_size": False,
        "overlap_minutes": False,
        "largest_vanished_share": False,
    },
}
"""What each kind's request may hold; True: must."""
NESTED_KINDS = (SourceKind.JSONL_FILE, SourceKind.TRANSCRIPT_FILE)
"""Kinds whose records may hold objects, which are read as dotted columns."""
PRESETS_DIR = Path(__file__).parent / "presets"
"""Mappings of kinds whose records have one shape everywhere, by kind."""


def _mapping_may_be_left_out(schema: dict[str, Any]) -> None:
    schema["required"].remove("mapping")


class Source(Declared):
    """One source of feedback."""

    model_config = ConfigDict(json_schema_extra=_mapping_may_be_left_out)

    slug: Slug
    """Permanent name: it is part of every id. Never change it, never use it for another source."""
    label: Annotated[str, Field(min_length=1)]
    """The name that people read."""
    kind: SourceKind
    owner: Annotated[str, Field(min_length=1)]
    """Who answers for the source: a person's or a team's address."""
    description: str | None = None
    where: Where | None = None
    """For kinds that deliver files: where they lie."""
    format: Format = Format()
    connection: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")] | None = None
    """The Airflow connection that holds address and secrets of the system; `patient-feedback check-sources` says
    how to add one that is missing."""
    request: Request = Request()
    schedule: Annotated[str, AfterValidator(cron)] | None = None
    """When to look for files, as a cron expression in UTC, such as "0 5 * * *"; null for only on demand."""
    deadline_minutes: Annotated[int, Field(ge=1)] = 60
    """How long a run may take before its owner is told."""
    language: LanguageCode = "en"
    """The usual language of the comments, taken where the text is too short to tell."""
    ignore_columns: list[ColumnName] = []
    """Columns that are never read into the database; "Label*" stands for all that begin so. Of a line that is no record,
    and may hold them, the length alone is kept there. In JSON Lines a name also covers what is nested below it."""
    mapping: FieldMapping
    """Left out: the mapping that comes with the kind, where its records have one shape everywhere."""

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "mapping" in given:
            return given
        preset = PRESETS_DIR / f"{given.get('kind')}.yml"
        if given.get("kind") not in set(SourceKind) or not preset.is_file():
            return given
        return {**given, "mapping": read_yaml(preset.read_text(encoding="utf-8"), preset).value}

    @model_validator(mode="after")
    def _place_suits_kind(self) -> Source:
        refusal = Refusal()
        if self.kind.is_file:
            if self.where is None:
                refusal.add("where", f"is missing: a source of kind {self.kind} says where its files lie")
            if "request" in self.model_fields_set and self.request != Request():
                refusal.add("request", f"has no meaning for {self.kind}, which reads files")
            path = self.where.path if self.where else ""
            if self.connection is None and path.startswith(("sftp://", "ssh://")):
                refusal.add("connection", "is missing: an SFTP server is reached over one")
            if self.connection is not None and "://" not in path and "${" not in path:
                refusal.add("connection", "has no meaning for files on a disk: it is for sftp:// and s3://")
        else:
            if self.connection is None:
                refusal.add("connection", f"is missing: a source of kind {self.kind} is asked over one")
            for name in ("where", "format"):
                if name in self.model_fields_set and getattr(self, name) not in (None, Format()):
                    refusal.add(name, f"has no meaning for {self.kind}, which is asked over a connection")
            allowed = REQUEST_FIELDS[self.kind]
            for name in sorted(self.request.model_fields_set - set(allowed)):
                refusal.add(f"request.{name}", f"has no meaning for {self.kind}")
            if self.mapping.record_ref.column != self.key_column:
                refusal.add(
                    "mapping.record_ref", f"is the column '{self.key_column}' for this source, no other"
                )
            for name, is_needed in allowed.items():
                if is_needed and getattr(self.request, name) is None:
                    refusal.add(f"request.{name}", f"is missing: {self.kind} needs it")
        refusal.raise_if_any()
        return self

    @model_validator(mode="after")
    def _format_suits_kind(self) -> Source:
        refusal = Refusal()
        suited = {
            "encodings": (
                SourceKind.CSV_FILE,
                SourceKind.JSONL_FILE,
                SourceKind.TRANSCRIPT_FILE,
                SourceKind.HCAHPS_FILE,
            ),
            "delimiter": (SourceKind.CSV_FILE, SourceKind.HCAHPS_FILE),
            "sheet": (SourceKind.XLSX_FILE, SourceKind.NHS_FFT_FILE),
            "setting": (SourceKind.NHS_FFT_FILE,),
            "header_row": (SourceKind.CSV_FILE, SourceKind.XLSX_FILE),
            "patient_roles": (SourceKind.TRANSCRIPT_FILE,),
        }
        for name in sorted(self.format.model_fields_set):
            if self.kind not in suited[name]:
                kinds = ", ".join(suited[name])
                refusal.add(f"format.{name}", f"has no meaning for {self.kind}: it is for {kinds}")
        for column in self.mapping.columns:
            if self.ignores(column):
                refusal.add("ignore_columns", f"covers the column '{column}', which the mapping reads")
        refusal.raise_if_any()
        return self

    @property
    def key_column(self) -> str:
        """The column that tells the records of a system apart, by which it is asked what became of them."""
        return self.request.key_column or ("ResponseId" if self.kind is SourceKind.QUALTRICS else "id")

    def ignores(self, column: str) -> bool:
        """Tell whether the column is never to be read: it, or an object that it lies in."""
        keys = {loose_key(column)}
        if self.kind in NESTED_KINDS:
            parts = column.split(".")
            keys |= {loose_key(".".join(parts[:count])) for count in range(1, len(parts))}
        return any(
            loose_key(column).startswith(loose_key(ignored[:-1]))
            if ignored.endswith("*")
            else loose_key(ignored) in keys
            for ignored in self.ignore_columns
        )

    @cached_property
    def declaration_sha256(self) -> str:
        """Hash of what decides how a file is read and mapped; not of where it lies or when it is fetched."""
        deciding = {"slug", "kind", "format", "language", "ignore_columns", "mapping"}
        meaning = self.model_dump(mode="json", include=deciding)
        if self.where is not None and self.where.largest_unpacked_mb != LARGEST_UNPACKED_MB:
            # What was refused for its size is read again where a person allows more.
            meaning["largest_unpacked_mb"] = self.where.largest_unpacked_mb
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


class SourcesFile(Declared):
    """The sources that the workflow reads."""

    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _slugs_are_unique(self) -> SourcesFile:
        refusal = Refusal()
        first: dict[str, int] = {}
        for index, source in enumerate(self.sources):
            if source.slug in first:
                other = f"sources[{first[source.slug]}]"
                refusal.add(f"sources[{index}].slug", f"'{source.slug}' is already the slug of {other}")
            first.setdefault(source.slug, index)
        refusal.raise_if_any()
        return self


def load_sources(
    path: Path, environ: Mapping[str, str] | None = None, *, check_paths: bool = False
) -> tuple[Source, ...]:
    """Return the declared sources, each with `where.path` expanded and absolute.

    Raises DeclarationError that lists every problem with file, line, field, what was given and what is
    allowed. `check_paths` also refuses a local path that does not exist.
    """
    environ = os.environ if environ is None else environ
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DeclarationError(f"There is no declaration of sources at {path}: give a sources.yml.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} cannot be read as YAML in UTF-8: {error}.") from None
    document = read_yaml(text, path)
    problems = list(document.problems)
    located: list[Source] = []
    try:
        declared = SourcesFile.model_validate(document.value)
    except ValidationError as error:
        problems += validation_problems(error, SourcesFile)
    else:
        for index, source in enumerate(declared.sources):
            if source.where is None:
                located.append(source)
                continue
            absolute, found = _absolute_path(source.where.path, path.resolve().parent, environ, check_paths)
            problems += [Problem(("sources", index, "where", "path"), message) for message in found]
            where = source.where.model_copy(update={"path": absolute})
            located.append(source.model_copy(update={"where": where}))
    if problems:
        raise DeclarationError(render_problems(path, document, problems))
    return tuple(located)


def _absolute_path(
    given: str, folder: Path, environ: Mapping[str, str], is_to_exist: bool
) -> tuple[str, list[str]]:
    unset = [name for name in dict.fromkeys(_VARIABLE.findall(given)) if not environ.get(name)]
    if unset:
        wanted = "which is not set: set it to the place of the files"
        return given, [f"needs the environment variable {name}, {wanted}" for name in unset]
    expanded = _VARIABLE.sub(lambda match: environ[match[1]], given)
    if expanded.startswith("file://"):
        expanded = url2pathname(urlsplit(expanded).path)
    if "://" in expanded:
        try:
            return location(expanded), []
        except PydanticCustomError as error:
            return given, [error.message()]
    absolute = folder / Path(expanded).expanduser()
    problems = []
    if is_to_exist and not absolute.exists():
        problems.append(f"points to {absolute}, where there is no file or folder: make it, or mend the path")
    return os.path.normpath(absolute), problems


def write_resolved(sources: Sequence[Source], path: Path) -> None:
    """Write a declaration equal to `sources`, with absolute paths and no variables left."""
    declared = {"sources": [source.model_dump(mode="json", exclude_defaults=True) for source in sources]}
    path.write_text(yaml.safe_dump(declared, sort_keys=False, allow_unicode=True), encoding="utf-8")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `sources.yml` that editors complete and check from."""
    schema = SourcesFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
