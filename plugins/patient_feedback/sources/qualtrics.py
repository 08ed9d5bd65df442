"""Qualtrics (API version 3): responses of one survey, by exports that it writes in its own time as a zipped CSV.

Two exports make a run. The first lists id, status and RecordedDate alone. It is what the second is counted against,
and it shows what dates cannot: a response that was deleted or marked as spam (held, no longer listed), and one that
was recorded long ago but came only now, such as an import (listed, not held): the second begins there. Edits keep
their RecordedDate, so the second export reads `LONGEST_EDIT` again; an older edit is seen by a backfill of its window.
Both end at the newest response that was listed; what is recorded meanwhile is the next run's.

Answers come as codes, not as labels, which change with wording and language; moments come in UTC. Previews, tests and
spam are no patient's feedback and are left out, of the count too.

Unseen and unanswered: a closed question that the patient saw and left out says -99, one that the patient never saw
(by a branch, or since the patient had left) says -100; in a choice of several, 0 is seen and not ticked. So a mapping
tells them apart with `missing: ["-99"]` and `not_applicable: ["-100"]`. Words are blank in both cases.

A mapping may name a column `Q2.question`: it holds the wording that the question Q2 bears now, so that
`question.values` of a comment shows a wording that changed; in all responses that are read again, too.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from patient_feedback.errors import PlaceUnavailableError
from patient_feedback.sources import http_client
from patient_feedback.sources.columns import declared_spellings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import Header
from patient_feedback.sources.extraction import (
    Cursor,
    Extract,
    ExtractionRequest,
    Landed,
    RawRecord,
    longest_wait_seconds,
    vanished,
)
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient, too_large_download
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.size_bounds import unpacks_within
from patient_feedback.sources.spelling import loose_key
from patient_feedback.sources.stored_text import MAXIMUM_LINE_LENGTH

IDENTIFIERS = (
    "RecipientFirstName",
    "RecipientLastName",
    "RecipientEmail",
    "IPAddress",
    "LocationLatitude",
    "LocationLongitude",
    "ExternalReference",
)
SHAPE = None
LANDED = Landed.AS_DECLARED
KEY, STATUS, RECORDED = "ResponseId", "Status", "RecordedDate"
MOMENTS = ("StartDate", "EndDate", RECORDED)
LISTED_METADATA = ("_recordId", "status", "recordedDate")
WANTED_METADATA = (
    *LISTED_METADATA,
    "startDate",
    "endDate",
    "progress",
    "duration",
    "finished",
    "distributionChannel",
    "userLanguage",
)
"""All but what identifies a person: that is not even asked for."""
SEEN_UNANSWERED, UNSEEN, NOT_TICKED = -99, -100, 0
NO_FEEDBACK = 1 | 2 | 8
"""Bits of a status: preview, test, spam; the others (imported, offline, employee) are real responses."""
NO_FEEDBACK_WORDS = ("preview", "test", "spam")
LONGEST_EDIT = timedelta(days=30)
EXPORTS = 2
"""An export that fails, or whose file is gone or broken, is started once more."""
GONE = (404, 410)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0
LONGEST_WAIT_SECONDS = 3600.0
IN_MEMORY_BYTES = 32 * 1024 * 1024
QUESTION_SUFFIX = ".question"
_QUESTION = re.compile(r"(^|_)QID\d")
"""In an import id; in a loop its turn stands before it."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, csv.Error)

log = logging.getLogger(__name__)


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield the responses recorded since the cursor less `LONGEST_EDIT`, or in the window; then what is gone."""
    held: frozenset[str] = frozenset() if request.window else request.held_keys()
    window = request.window or (None, None)
    headers = {"X-API-TOKEN": request.connection.secret()}
    # For both exports, and those started once more.
    patience = _Patience(min(longest_wait_seconds(request.source), LONGEST_WAIT_SECONDS))
    with SourceClient(request, headers, refusal=_refusal) as client:
        nothing_else = {"surveyMetadataIds": LISTED_METADATA, "questionIds": (), "embeddedDataIds": ()}
        with _exported(client, request, patience, nothing_else, *window) as archive:
            listed = _listed(archive, request, held)
        if listed.count:
            wanted = {"surveyMetadataIds": WANTED_METADATA}
            with _exported(client, request, patience, wanted, listed.begin, listed.end) as archive:
                cursor: Cursor | None = None if request.window else {"recorded_at": listed.newest}
                yield Extract(_responses(archive, request), cursor, listed.count)
    if request.window is None:
        gone = list(vanished(request, held, listed.shown))
        if gone:
            yield Extract(iter(gone))


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response under the names of the export's first row, its moments in UTC."""
    moments = {name: utc_text(content[name]) or content[name] for name in MOMENTS if name in content}
    return {**content, **moments}


@dataclass(slots=True)
class _Patience:
    """How long a run may still wait for exports to be written."""

    seconds_left: float


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the first export says."""

    count: int
    """Responses that are feedback and that the second export is to hold."""
    begin: datetime | None
    end: datetime | None
    newest: str
    shown: set[str]
    """Which of the responses that are held are still there."""


def _listed(archive: zipfile.ZipFile, request: ExtractionRequest, held: frozenset[str]) -> _Listed:
    newest, begin = "" if request.window else (request.cursor or {}).get("recorded_at", ""), _begin(request)
    until = request.window[1].astimezone(UTC).isoformat() if request.window else None
    shown: set[str] = set()
    for key, recorded in _ids(archive, request):
        newest = max(newest, recorded)
        if key in held:
            shown.add(key)
        elif begin and until is None:
            begin = min(begin, recorded)
    count = sum(
        recorded >= begin and (until is None or recorded < until) for _, recorded in _ids(archive, request)
    )
    # The bound is exclusive, and what is written to the second may have a fraction.
    end = datetime.fromisoformat(newest).replace(microsecond=0) + timedelta(seconds=1) if newest else None
    if request.window:
        end = request.window[1]
    return _Listed(count, datetime.fromisoformat(begin) if begin else None, end, newest, shown)


def _begin(request: ExtractionRequest) -> str:
    if request.window:
        return request.window[0].astimezone(UTC).replace(microsecond=0).isoformat()
    if not request.cursor:
        return ""
    overlap = max(LONGEST_EDIT, timedelta(minutes=request.source.request.overlap_minutes))
    return (datetime.fromisoformat(request.cursor["recorded_at"]) - overlap).isoformat()


def _ids(archive: zipfile.ZipFile, request: ExtractionRequest) -> Iterator[tuple[str, str]]:
    with _table(archive, request) as table:
        for cells in table.rows:
            if _is_feedback(cells[table.status]):
                recorded = utc_text(cells[table.recorded])
                if recorded is None:
                    raise _unreadable(request, "a RecordedDate that is no moment")
                yield cells[table.key], recorded


def _responses(archive: zipfile.ZipFile, request: ExtractionRequest) -> Iterator[RawRecord]:
    left_out = 0
    with _table(archive, request) as table:
        columns = list(_columns(table, request.source))
        wordings = dict(_wordings(table, request.source))
        for cells in table.rows:
            if not _is_feedback(cells[table.status]):
                left_out += 1
                continue
            answered = {name: read(cells[place]) for name, place, read in columns}
            yield RawRecord(cells[table.key], {**answered, **wordings})
    log.info("%s: %d previews, tests and spam were left out", request.source.slug, left_out)


def _is_feedback(status: str) -> bool:
    if status.strip().isdecimal():
        return not int(status) & NO_FEEDBACK
    return not any(word in status.casefold() for word in NO_FEEDBACK_WORDS)


@dataclass(frozen=True, slots=True)
class _Table:
    """An opened CSV behind its three rows of names, wordings and import ids."""

    header: Header
    wordings: list[str]
    import_ids: list[str]
    key: int
    status: int
    recorded: int
    rows: Iterator[list[str]]


@contextmanager
def _table(archive: zipfile.ZipFile, request: ExtractionRequest) -> Iterator[_Table]:
    csv.field_size_limit(MAXIMUM_LINE_LENGTH)
    with (
        archive.open(_csv_names(archive)[0]) as stream,
        io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        rows = _rows(csv.reader(text, strict=True), request)
        names, wordings, imports = (next(rows, []) for _ in range(3))
        try:
            key, status, recorded = (names.index(name) for name in (KEY, STATUS, RECORDED))
            import_ids = [str(json.loads(cell)["ImportId"]) for cell in imports]
        except (ValueError, KeyError, TypeError):
            raise _unreadable(
                request, f"no rows of names and import ids with {KEY}, {STATUS}, {RECORDED}"
            ) from None
        yield _Table(Header.of(names, request.source), wordings, import_ids, key, status, recorded, rows)


def _rows(reader: Iterator[list[str]], request: ExtractionRequest) -> Iterator[list[str]]:
    width = 0
    try:
        for cells in filter(None, reader):
            width = width or len(cells)
            if len(cells) != width:
                raise _unreadable(request, "a row that is cut")
            yield cells
    except _BROKEN as error:
        raise _unreadable(request, f"a broken file ({type(error).__name__})") from None


def _columns(table: _Table, source: Source) -> Iterator[tuple[str, int, Callable[[str], str]]]:
    """Yield name, place and reading of each column that is kept."""
    identifying = {loose_key(name) for name in IDENTIFIERS}
    words = {loose_key(comment.column) for comment in source.mapping.comments}
    for place, (name, import_id) in enumerate(zip(table.header.names, table.import_ids, strict=True)):
        if name is None or loose_key(name) in identifying:
            continue
        if import_id.endswith("_TEXT") or loose_key(name) in words:
            yield name, place, _words
        else:
            yield name, place, _closed if _QUESTION.search(import_id) else str


def _words(cell: str) -> str:
    return "" if cell.strip() == str(SEEN_UNANSWERED) else cell


def _closed(cell: str) -> str:
    return cell if cell.strip() else str(UNSEEN)


def _wordings(table: _Table, source: Source) -> Iterator[tuple[str, str]]:
    """Yield the wordings that the mapping asks for; in each record, since a wording holds for its time."""
    declared = declared_spellings(source)
    for name, wording in zip(table.header.names, table.wordings, strict=True):
        column = declared.get(loose_key(f"{name}{QUESTION_SUFFIX}"))
        if name is not None and column is not None:
            yield column, wording


@contextmanager
def _exported(
    client: SourceClient,
    request: ExtractionRequest,
    patience: _Patience,
    wanted: Mapping[str, Any],
    begin: datetime | None,
    end: datetime | None,
) -> Iterator[zipfile.ZipFile]:
    """Give the zip of an export of the responses recorded from `begin` (included) to `end` (excluded)."""
    body = {
        "format": "csv",
        "compress": True,
        "useLabels": False,
        "breakoutSets": True,
        "timeZone": "UTC",
        "seenUnansweredRecode": SEEN_UNANSWERED,
        "multiselectSeenUnansweredRecode": NOT_TICKED,
        **wanted,
        **({"startDate": _asked(begin)} if begin else {}),
        **({"endDate": _asked(end)} if end else {}),
    }
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local:
        for _ in range(EXPORTS):
            if _fetch(client, request, patience, body, local):
                break
        else:
            raise _unreadable(request, f"no whole file in {EXPORTS} exports")
        with zipfile.ZipFile(local) as archive:
            yield archive


def _asked(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fetch(
    client: SourceClient,
    request: ExtractionRequest,
    patience: _Patience,
    body: Mapping[str, Any],
    target: IO[bytes],
) -> bool:
    """Run one export; return whether it came to a whole file."""
    path = f"surveys/{request.source.request.survey}/export-responses"
    started = client.send_json("POST", path, json=body)["result"]
    try:
        file_id = _file_id(client, request, patience, f"{path}/{started.get('progressId')}")
        if file_id is None:
            return False
        client.download(f"{path}/{file_id}/file", target)
    except SourceAnswerError as error:
        if error.status in GONE:
            return False
        raise
    return _is_whole(target, request.source)


def _file_id(
    client: SourceClient, request: ExtractionRequest, patience: _Patience, address: str
) -> str | None:
    """Wait until the export is written; return None where it failed."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        progress = client.get_json(address)["result"]
        if progress["status"] == "failed":
            return None
        if progress["status"] == "complete":
            return str(progress.get("fileId"))
        if patience.seconds_left <= 0:
            raise PlaceUnavailableError(
                f"The source '{request.source.slug}' has written no file in the time that a run of "
                f"{request.source.deadline_minutes} minutes (deadline_minutes) may wait: nothing was kept, and the next "
                "run asks again. Raise deadline_minutes if exports take so long as a rule."
            )
        http_client.wait_seconds(pause)
        patience.seconds_left -= pause
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _is_whole(file: IO[bytes], source: Source) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            # Before anything of it is unpacked.
            if not unpacks_within(archive, source.request.largest_download_mb):
                raise too_large_download(source)
            return len(_csv_names(archive)) == 1 and archive.testzip() is None
    except _BROKEN:
        return False


def _csv_names(archive: zipfile.ZipFile) -> list[str]:
    return [name for name in archive.namelist() if name.lower().endswith(".csv")]


def _refusal(answer: Any) -> str | None:
    """An error may come with status 200, in place of a result."""
    result = answer.get("result") if isinstance(answer, Mapping) else None
    return (
        None
        if isinstance(result, Mapping) and "status" in result
        else "answers without the state of an export"
    )


def _unreadable(request: ExtractionRequest, what: str) -> PlaceUnavailableError:
    return PlaceUnavailableError(
        f"The source '{request.source.slug}' gives {what} for the survey {request.source.request.survey}: nothing of it "
        "was kept, and the next run asks again. If it stays so, export the survey by hand and look."
    )
