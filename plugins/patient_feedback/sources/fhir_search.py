"""FHIR R4 QuestionnaireResponse by search: paged bundles, newest last, with the server's own count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from patient_feedback.sources.extraction import Extract, ExtractionRequest, RawRecord, vanished
from patient_feedback.sources.http_client import SourceClient
from patient_feedback.sources.moments import utc_text

IDENTIFIERS = (
    "text",
    "contained",
    "identifier",
    "subject.display",
    "subject.identifier",
    "author.display",
    "author.identifier",
    "source.display",
    "source.identifier",
)
WANTED_STATUS = "completed,amended,entered-in-error"
ENTERED_IN_ERROR = "entered-in-error"
VALUE_PREFIX = "value"


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield one extract: the responses that the server changed since the cursor less the overlap."""
    found = Extract(iter(()))
    found.records = _responses(request, found)
    yield found


def _responses(request: ExtractionRequest, found: Extract) -> Iterator[RawRecord]:
    asked = request.source.request
    headers = {
        "Authorization": f"Bearer {request.connection.secret()}",
        "Accept": "application/fhir+json",
    }
    search = [("questionnaire", asked.questionnaire or ""), ("status", WANTED_STATUS)]
    changed = [*search, *(("_lastUpdated", bound) for bound in _bounds(request))]
    newest = (request.cursor or {}).get("last_updated", "")
    seen: set[tuple[str, str]] = set()
    with SourceClient(request, headers, refusal=refusal) as client:
        count_before = _count(client, changed)
        for resource in _pages(
            client, [*changed, ("_sort", "_lastUpdated"), ("_count", str(asked.page_size))]
        ):
            meta = resource.get("meta") or {}
            version = (str(resource["id"]), str(meta.get("versionId") or meta.get("lastUpdated")))
            # A page that shifted while it was read gives a resource twice.
            if version in seen:
                continue
            seen.add(version)
            newest = max(newest, utc_text(meta.get("lastUpdated")) or "")
            yield RawRecord(version[0], resource, resource.get("status") == ENTERED_IN_ERROR)
        count_after = _count(client, changed)
        # What is changed while it is read moves the count: the count that is nearer is the one to be compared.
        extracted = len({key for key, _ in seen})
        found.source_count = min((count_before, count_after), key=lambda count: abs(count - extracted))
        if request.window is None:
            yield from _deleted(client, request, search)
    if request.window is None and newest:
        found.cursor = {"last_updated": newest}


def _bounds(request: ExtractionRequest) -> list[str]:
    if request.window:
        begin, end = request.window
        return [f"ge{begin.isoformat()}", f"lt{end.isoformat()}"]
    if not request.cursor:
        return []
    overlap = timedelta(minutes=request.source.request.overlap_minutes)
    return [f"ge{(datetime.fromisoformat(request.cursor['last_updated']) - overlap).isoformat()}"]


def _deleted(
    client: SourceClient, request: ExtractionRequest, search: list[tuple[str, str]]
) -> Iterator[RawRecord]:
    """Yield what the server no longer has; a search tells of no deletion, but its count does."""
    held = request.held_keys(None)
    wanted = [(name, value.replace(f",{ENTERED_IN_ERROR}", "")) for name, value in search]
    if not held or _count(client, wanted) >= len(held):
        return
    page_size = str(request.source.request.page_size)
    listed = _pages(client, [*wanted, ("_elements", "id"), ("_count", page_size)])
    yield from vanished(request, held, {str(resource["id"]) for resource in listed})


def _count(client: SourceClient, search: list[tuple[str, str]]) -> int:
    answer = client.get_json("QuestionnaireResponse", [*search, ("_summary", "count")])
    return int(answer.get("total") or 0)


def _pages(client: SourceClient, search: list[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    bundle = client.get_json("QuestionnaireResponse", search)
    while True:
        for entry in bundle.get("entry") or []:
            resource = entry.get("resource") or {}
            if resource.get("resourceType") == "QuestionnaireResponse" and resource.get("id"):
                yield resource
        following = [link["url"] for link in bundle.get("link") or [] if link.get("relation") == "next"]
        if not following:
            return
        bundle = client.get_json(following[0])


def refusal(answer: Any) -> str | None:
    """A server may answer 200 with an OperationOutcome in place of the bundle."""
    kind = answer.get("resourceType") if isinstance(answer, Mapping) else None
    return None if kind == "Bundle" else f"answers with {kind or 'no resource'} in place of a Bundle"


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a QuestionnaireResponse as columns: its head, and `item.<linkId>` for each item at any depth."""
    canonical, _, version = str(content.get("questionnaire") or "").partition("|")
    meta = content.get("meta") or {}
    columns: dict[str, Any] = {
        "id": content.get("id"),
        "version_id": meta.get("versionId"),
        "last_updated": utc_text(meta.get("lastUpdated")),
        "status": content.get("status"),
        "questionnaire": canonical or None,
        "questionnaire_version": version or None,
        "language": content.get("language"),
        "authored": utc_text(content.get("authored")) or content.get("authored"),
        "subject": _reference(content.get("subject")),
        "encounter": _reference(content.get("encounter")),
        "author": _reference(content.get("author")),
        "source": _reference(content.get("source")),
    }
    _read_items(content.get("item"), columns)
    return columns


def _read_items(items: Any, columns: dict[str, Any]) -> None:
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        answers = [answer for answer in item.get("answer") or () if isinstance(answer, Mapping)]
        values = [value for answer in answers if (value := _value(answer)) is not None]
        column = f"item.{item.get('linkId')}"
        if values:
            columns[column] = values[0] if len(values) == 1 else values
        _read_items(item.get("item"), columns)
        for answer in answers:
            _read_items(answer.get("item"), columns)


def _value(answer: Mapping[str, Any]) -> Any:
    for name, value in answer.items():
        if name.startswith(VALUE_PREFIX):
            if not isinstance(value, Mapping):
                return value
            # Coding, Quantity, Reference: the code before the words, the number before its unit.
            return next(
                (value[part] for part in ("code", "value", "reference", "display") if part in value), None
            )
    return None


def _reference(given: Any) -> str | None:
    return given.get("reference") if isinstance(given, Mapping) else None
