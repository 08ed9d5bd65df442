"""FHIR bulk export of QuestionnaireResponse: asked for, waited for, and read line by line.

An export in part is a success with errors beside it. What came lands, so that one broken resource of the server holds
no other back; the cursor stays, so that the next run asks for the same again; and every error counts as a record
that the source has and did not give, so that check FB-LND-010 fails until an export is whole.

A server may need longer than a run can wait. Where the export is asked at is therefore noted beside the cursor as soon
as it is known, and the next run goes on with that export where the server still has it. A backfill notes nothing.
"""

from __future__ import annotations

import gzip
import json
import logging
import time
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from urllib.parse import urljoin

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources import http_client
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import (
    Cursor,
    Extract,
    ExtractionRequest,
    RawRecord,
    longest_wait_seconds,
)
from patient_feedback.sources.http_client import (
    ATTEMPTS,
    SourceAnswerError,
    SourceClient,
    too_large_download,
)
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.questionnaire_response import (
    ENTERED_IN_ERROR,
    IDENTIFIERS,
    LANDED,
    RESOURCE_TYPE,
    SHAPE,
    STANDING_STATUS,
    answers_questionnaire,
    payload,
    raw_record,
)
from patient_feedback.sources.size_bounds import ByteBudget, TooLargeError
from patient_feedback.sources.stored_text import MAXIMUM_LINE_LENGTH
from patient_feedback.sources.token_grant import fhir_access

__all__ = ["IDENTIFIERS", "LANDED", "SHAPE", "extract", "payload"]

LONGEST_EXPORT_SECONDS = 6 * 3600.0
"""So long a run waits at most for the server to prepare its files, whatever its deadline."""
EXPORT_KEY = "export"
"""Beside the cursor: the address of an export that was asked for and not read yet."""
LONGEST_POLL_SECONDS = 60.0
"""Between two questions whether the files are ready, where the server names no time."""
IN_MEMORY_BYTES = 8 * 1024 * 1024
GONE = (404, 410)
SIGNATURE_EXPIRED = (401, 403)
"""What a store of files says of a signed link that is too old."""
SEVERE = frozenset({"error", "fatal"})
_GZIP_MARK = b"\x1f\x8b"

_log = logging.getLogger(__name__)


class _UnderWayError(PlaceUnavailableError):
    """The export goes on at the server, and this run can wait no longer."""


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield each file of an export as a piece, and at last what was deleted, with the cursor."""
    headers, grant = fhir_access(request.connection)
    with SourceClient(request, headers, grant=grant) as client:
        job = _noted_job(request)
        if job is None or not _is_known(client, job):
            job = _started(client, request)
            yield from _note(request, job)
        try:
            manifest = _manifest(client, request, job)
        except FeedbackError as error:
            if request.window or not isinstance(error, _UnderWayError):
                _drop(client, job)
                yield from _note(request)
            raise
        # Before it is read: what cannot be read now would not be read the next time.
        yield from _note(request)
        try:
            yield from _pieces(client, request, manifest)
        finally:
            _drop(client, job)


def _noted_job(request: ExtractionRequest) -> str | None:
    job = (request.cursor or {}).get(EXPORT_KEY)
    if job is None or request.window or not http_client.is_same_place(job, request.connection.url):
        return None
    return job


def _note(request: ExtractionRequest, job: str | None = None) -> Iterator[Extract]:
    """Yield what keeps in mind which export is under way, and leaves the cursor where it is."""
    if request.window is None:
        cursor = {name: value for name, value in (request.cursor or {}).items() if name != EXPORT_KEY}
        yield Extract(iter(()), {**cursor, EXPORT_KEY: job} if job else cursor, is_note=True)


def _is_known(client: SourceClient, job: str) -> bool:
    """Tell whether the server still has an export; one that failed answers with an error, too."""
    try:
        client.get(job)
    except FeedbackError:
        return False
    return True


def _drop(client: SourceClient, job: str) -> None:
    """Tell the server that it may drop the files: a courtesy, which not every server knows."""
    with suppress(FeedbackError):
        client.send("DELETE", job)


def _started(client: SourceClient, request: ExtractionRequest) -> str:
    """Ask for an export; return the address that tells how it goes on."""
    parameters = {"_type": RESOURCE_TYPE}
    if since := _since(request):
        parameters["_since"] = since.isoformat()
    for attempt in range(ATTEMPTS):
        answer = client.send("GET", "$export", params=parameters, headers={"Prefer": "respond-async"})
        job = answer.headers.get("Content-Location")
        if answer.status_code == 202 and job:
            return urljoin(str(answer.url), job)
        if answer.status_code == 202 or not _is_error(answer.content):
            raise FeedbackError(
                f"The source '{request.source.slug}' answers a bulk export with {answer.status_code} and "
                f"{'an' if job else 'no'} address to ask at, not with 202 and one: its server does no bulk export there. "
                "Check the connection's address, or declare the source as fhir_search."
            )
        http_client.wait_seconds(2.0**attempt)
    raise PlaceUnavailableError(
        f"The source '{request.source.slug}' answers a bulk export with an error in a {answer.status_code}, {ATTEMPTS} "
        "times: the next run asks again. If it stays so, check the address in the Airflow connection "
        f"'{request.connection.name}', or declare the source as fhir_search."
    )


def _is_error(body: bytes) -> bool:
    """Tell whether an answer is an error that came with status 200: an OperationOutcome, or no JSON at all."""
    try:
        content = json.loads(body)
    except ValueError:
        return True
    return isinstance(content, Mapping) and content.get("resourceType") == "OperationOutcome"


def _since(request: ExtractionRequest) -> datetime | None:
    if request.window:
        return request.window[0]
    moment = (request.cursor or {}).get("transaction_time")
    overlap = timedelta(minutes=request.source.request.overlap_minutes)
    return datetime.fromisoformat(moment) - overlap if moment else None


def _manifest(client: SourceClient, request: ExtractionRequest, job: str) -> Mapping[str, Any]:
    """Wait for the export as the server bids; return its list of files."""
    began, slept, polls, broken = time.monotonic(), 0.0, 0, 0
    longest = min(longest_wait_seconds(request.source), LONGEST_EXPORT_SECONDS)
    while broken < ATTEMPTS:
        try:
            answer = client.get(job)
        except SourceAnswerError as error:
            if error.status not in GONE:
                raise
            raise PlaceUnavailableError(
                f"The source '{request.source.slug}' forgot its export before it was ready ({error.status}): the next "
                "run asks for a new one."
            ) from None
        if answer.status_code != 202:
            manifest = _read_manifest(answer.content)
            if manifest is not None:
                return manifest
            broken += 1
        left = longest - max(slept, time.monotonic() - began)
        if left <= 0:
            raise _UnderWayError(_not_finished(request, longest))
        asked = http_client.retry_after_seconds(answer)
        seconds = min(2.0**polls, LONGEST_POLL_SECONDS) if asked is None else max(asked, 1.0)
        seconds = min(seconds, http_client.LONGEST_WAIT_SECONDS, left)
        http_client.wait_seconds(seconds)
        slept, polls = slept + seconds, min(polls + 1, 10)
    raise PlaceUnavailableError(
        f"The source '{request.source.slug}' sends no manifest of its export, {broken} times: the next run asks for a "
        "new one."
    )


def _not_finished(request: ExtractionRequest, waited: float) -> str:
    """Say what a person can do where an export takes longer than a run may wait."""
    said = (
        f"The source '{request.source.slug}' has not finished its export after {waited:.0f} seconds, and a run of "
        f"{request.source.deadline_minutes} minutes (deadline_minutes) waits no longer: "
    )
    if request.window:
        return f"{said}the export was dropped. Raise deadline_minutes, or backfill shorter intervals."
    return f"{said}the next run goes on with the same export. Raise deadline_minutes if exports take so long as a rule."


def _read_manifest(body: bytes) -> Mapping[str, Any] | None:
    try:
        manifest = json.loads(body)
    except ValueError:
        return None
    is_manifest = isinstance(manifest, Mapping) and utc_text(manifest.get("transactionTime"))
    return manifest if is_manifest and isinstance(manifest.get("output"), list) else None


def _pieces(
    client: SourceClient, request: ExtractionRequest, manifest: Mapping[str, Any]
) -> Iterator[Extract]:
    read = partial(_resources, client, request, manifest.get("requiresAccessToken") is not False)
    error_count = sum(_is_severe(outcome) for file in _files(manifest, "error") for outcome in read(file))
    held = request.held_keys()
    gone: set[str] = set()
    if request.window is None:
        for file in _files(manifest, "deleted"):
            gone.update(key for bundle in read(file) for key in _deleted_keys(bundle) if key in held)
    for file in _files(manifest, "output"):
        if file.get("type", RESOURCE_TYPE) == RESOURCE_TYPE:
            piece = Extract(iter(()))
            piece.records = _records(request, piece, file, read(file), held, gone)
            yield piece
    if error_count:
        _log.warning(
            "The export of the source '%s' lacks what %d errors of its server name; the cursor stays.",
            request.source.slug,
            error_count,
        )
    withdrawn = [] if request.window else [RawRecord(key, {}, is_withdrawn=True) for key in sorted(gone)]
    yield Extract(iter(withdrawn), _cursor(request, manifest, error_count), error_count or None)


def _cursor(request: ExtractionRequest, manifest: Mapping[str, Any], error_count: int) -> Cursor | None:
    moment = utc_text(manifest["transactionTime"])
    return {"transaction_time": moment} if moment and request.window is None and not error_count else None


def _records(
    request: ExtractionRequest,
    piece: Extract,
    file: Mapping[str, Any],
    resources: Iterator[Mapping[str, Any]],
    held: frozenset[str],
    gone: set[str],
) -> Iterator[RawRecord]:
    """Yield the responses to the questionnaire; note in `gone` which of the held ones are no such response now."""
    canonical = request.source.request.questionnaire or ""
    line_count = record_count = 0
    for resource in resources:
        line_count += 1
        if resource.get("resourceType") != RESOURCE_TYPE or not resource.get("id"):
            continue
        key, status = str(resource["id"]), resource.get("status")
        is_wanted = status in STANDING_STATUS or status == ENTERED_IN_ERROR
        if not is_wanted or not answers_questionnaire(resource, canonical):
            if key in held:
                gone.add(key)
            continue
        # Created again after it was deleted.
        gone.discard(key)
        if _is_after(resource, request):
            continue
        record_count += 1
        yield raw_record(resource, request.source)
    if isinstance(file.get("count"), int):
        # A file may hold responses to other questionnaires: what is missing is told by its lines.
        piece.source_count = record_count + file["count"] - line_count


def _is_after(resource: Mapping[str, Any], request: ExtractionRequest) -> bool:
    """Tell whether it was changed after the window, which an export cannot be asked to leave out."""
    meta = resource.get("meta")
    moment = utc_text(meta.get("lastUpdated")) if isinstance(meta, Mapping) else None
    return bool(request.window and moment and datetime.fromisoformat(moment) >= request.window[1])


def _files(manifest: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    files = manifest.get(name)
    return [file for file in files if isinstance(file, Mapping)] if isinstance(files, list) else []


def _is_severe(outcome: Mapping[str, Any]) -> bool:
    """Tell whether an OperationOutcome says that something is missing; warnings stand beside the errors."""
    issues = outcome.get("issue")
    return not isinstance(issues, list) or any(
        not isinstance(issue, Mapping) or issue.get("severity") in SEVERE for issue in issues
    )


def _deleted_keys(bundle: Mapping[str, Any]) -> Iterator[str]:
    for entry in bundle.get("entry") or ():
        asked = entry.get("request") if isinstance(entry, Mapping) else None
        if isinstance(asked, Mapping) and asked.get("method") == "DELETE":
            kind, _, key = str(asked.get("url")).rstrip("/").rpartition("/")
            if kind.rpartition("/")[2] == RESOURCE_TYPE:
                yield key


def _resources(
    client: SourceClient, request: ExtractionRequest, has_auth: bool, file: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the resources of a file, which lies on disk meanwhile."""
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as local:
        _download(client, request, has_auth, str(file.get("url") or ""), cast(IO[bytes], local))
        for number, line in enumerate(_lines(cast(IO[bytes], local), request.source), start=1):
            try:
                resource = json.loads(line)
            except ValueError:
                raise PlaceUnavailableError(
                    f"The source '{request.source.slug}' sends an export whose line {number} is no JSON: nothing of "
                    "the file is kept, and the next run asks for a new export."
                ) from None
            yield resource


def _download(
    client: SourceClient, request: ExtractionRequest, has_auth: bool, url: str, local: IO[bytes]
) -> None:
    for attempt in range(ATTEMPTS):
        try:
            client.download(url, local, has_auth=has_auth)
        except SourceAnswerError as error:
            if error.status not in (GONE if has_auth else GONE + SIGNATURE_EXPIRED):
                raise
            raise PlaceUnavailableError(
                f"The source '{request.source.slug}' let the links of its export expire ({error.status}): the files "
                "before it are kept, and the next run asks for a new export."
            ) from None
        if _is_whole(local, request.source):
            return
        http_client.wait_seconds(2.0**attempt)
    raise PlaceUnavailableError(
        f"The source '{request.source.slug}' sends a file of its export cut off or as something else, {ATTEMPTS} "
        "times: nothing of it is kept, and the next run asks for a new export."
    )


def _is_whole(local: IO[bytes], source: Source) -> bool:
    """Tell whether each line can be an object: a file that was cut off, or a page of error, has one that cannot."""
    try:
        return all(line.startswith(b"{") and line.endswith(b"}") for line in _lines(local, source))
    except TooLargeError:
        raise too_large_download(source) from None
    except (EOFError, OSError, zlib.error):
        return False


def _lines(local: IO[bytes], source: Source) -> Iterator[bytes]:
    """Yield the lines that hold anything, unpacked where the file itself is packed."""
    local.seek(0)
    is_packed = local.read(len(_GZIP_MARK)) == _GZIP_MARK
    local.seek(0)
    stream = cast(IO[bytes], gzip.GzipFile(fileobj=local, mode="rb")) if is_packed else local
    budget = ByteBudget(source.request.largest_download_mb)
    # A line that is longer than any comment is cut, and then no object.
    while line := stream.readline(MAXIMUM_LINE_LENGTH):
        budget.spend(len(line))
        if stripped := line.removeprefix(BOM_UTF8).strip():
            yield stripped
