"""FHIR R4 QuestionnaireResponse by search: pages in the order of change, compared with the server's own count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from patient_feedback.errors import PlaceUnavailableError
from patient_feedback.sources.extraction import Cursor, Extract, ExtractionRequest, RawRecord, vanished
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient
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
from patient_feedback.sources.token_grant import fhir_access

__all__ = ["IDENTIFIERS", "LANDED", "SHAPE", "extract", "payload"]

WANTED_STATUS = ",".join(sorted({*STANDING_STATUS, ENTERED_IN_ERROR}))
GONE = (404, 410)
IDS_AT_A_TIME = 20
"""Ids in one request, so that its address stays short."""
Search = list[tuple[str, str]]


@dataclass(slots=True)
class _Seen:
    """What one run has read so far."""

    newest: str
    moments: dict[str, str] = field(default_factory=dict)
    """When each response was last changed, by its id."""
    withdrawn: set[str] = field(default_factory=set)
    older_count: int = 0
    """How many of them are older than what was asked for: the server's count leaves them out."""
    again: dict[str, RawRecord] = field(default_factory=dict)
    """Later versions of what was read before, changed meanwhile: they land apart, since one delivery with two
    versions of a record contradicts itself."""

    def take(self, resource: Mapping[str, Any], request: ExtractionRequest) -> RawRecord | None:
        """Note a resource and return its record where it is the first of its id."""
        moment, record = _moment(resource), raw_record(resource, request.source)
        self.newest = max(self.newest, moment)
        before = self.moments.get(record.key)
        if before is not None and moment <= before:
            return None
        self.moments[record.key] = moment
        (self.withdrawn.add if record.is_withdrawn else self.withdrawn.discard)(record.key)
        if before is not None:
            self.again[record.key] = record
            return None
        return record


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield the responses that the server changed since the cursor less the overlap, then what was changed meanwhile."""
    seen = _Seen((request.cursor or {}).get("last_updated", ""))
    found = Extract(iter(()))
    found.records = _responses(request, found, seen)
    yield found
    if seen.again:
        yield Extract(iter(seen.again.values()), _cursor(request, seen))


def _responses(request: ExtractionRequest, found: Extract, seen: _Seen) -> Iterator[RawRecord]:
    headers, grant = fhir_access(request.connection)
    asked = request.source.request
    search = [("questionnaire", asked.questionnaire or ""), ("status", WANTED_STATUS)]
    changed = [*search, *(("_lastUpdated", bound) for bound in _bounds(request))]
    with SourceClient(request, headers, grant=grant, refusal=_refusal) as client:
        count_before = _count(client, changed)
        for resource in _wanted(_pages(client, request, changed), request):
            if record := seen.take(resource, request):
                yield record
        count_after = _count(client, changed)
        if request.window is None:
            yield from _reconciled(client, request, seen)
    if count_before is not None and count_after is not None:
        in_count = len(seen.moments) - seen.older_count
        found.source_count = seen.older_count + _agreed(count_before, count_after, in_count)
    if not seen.again:
        found.cursor = _cursor(request, seen)


def _cursor(request: ExtractionRequest, seen: _Seen) -> Cursor | None:
    return {"last_updated": seen.newest} if request.window is None and seen.newest else None


def _bounds(request: ExtractionRequest) -> list[str]:
    if request.window:
        begin, end = request.window
        return [f"ge{begin.isoformat()}", f"lt{end.isoformat()}"]
    since = _since(request)
    return [f"ge{since.isoformat()}"] if since else []


def _since(request: ExtractionRequest) -> datetime | None:
    if not request.cursor:
        return None
    overlap = timedelta(minutes=request.source.request.overlap_minutes)
    return datetime.fromisoformat(request.cursor["last_updated"]) - overlap


def _is_since(moment: str, request: ExtractionRequest) -> bool:
    since = _since(request)
    return since is None or (moment != "" and datetime.fromisoformat(moment) >= since)


def _agreed(before: int, after: int, extracted: int) -> int:
    """Return the server's count; what comes or goes while it is read may make it any number between the two."""
    return min(max(extracted, min(before, after)), max(before, after))


def _reconciled(client: SourceClient, request: ExtractionRequest, seen: _Seen) -> Iterator[RawRecord]:
    """Yield what the server no longer has, and what it has and never showed; its count tells whether to look."""
    search = [
        ("questionnaire", request.source.request.questionnaire or ""),
        ("status", ",".join(sorted(STANDING_STATUS))),
    ]
    held = request.held_keys() - seen.withdrawn
    expected = held | (seen.moments.keys() - seen.withdrawn)
    if _count(client, search) == len(expected):
        return
    elements = [("_elements", "id,meta,questionnaire,status")]
    listed = {
        str(one["id"]) for one in _wanted(_pages(client, request, [*search, *elements]), request, False)
    }
    # Asked for by name before it is called gone: a list may shift while it is read.
    listed |= {str(one["id"]) for one in _named(client, request, search, expected - listed)}
    for resource in _wanted(_named(client, request, search, listed - expected), request):
        if record := seen.take(resource, request):
            seen.older_count += not _is_since(_moment(resource), request)
            yield record
    yield from vanished(request, held, listed)


def _named(
    client: SourceClient, request: ExtractionRequest, search: Search, ids: Iterable[str]
) -> Iterator[Mapping[str, Any]]:
    left = sorted(ids)
    for start in range(0, len(left), IDS_AT_A_TIME):
        named = ("_id", ",".join(left[start : start + IDS_AT_A_TIME]))
        yield from _pages(client, request, [*search, named])


def _wanted(
    resources: Iterator[Mapping[str, Any]], request: ExtractionRequest, is_whole: bool = True
) -> Iterator[Mapping[str, Any]]:
    """Leave out what a server gives that does not know the parameter `questionnaire`, or a part of a resource lacks."""
    canonical = request.source.request.questionnaire or ""
    for resource in resources:
        is_unsaid = not is_whole and "questionnaire" not in resource
        if is_unsaid or answers_questionnaire(resource, canonical):
            yield resource


def _pages(client: SourceClient, request: ExtractionRequest, search: Search) -> Iterator[Mapping[str, Any]]:
    """Yield the resources in the order of their last change.

    Each page is asked for from the last moment of the one before. Behind a link that counts places, what is
    changed or deleted meanwhile would move others to a page that was already read. The server's link is followed
    where it does not sort, and where one moment fills a page.
    """
    ordered = [*search, ("_sort", "_lastUpdated"), ("_count", str(request.source.request.page_size))]
    since = ""
    bundle = client.get_json(RESOURCE_TYPE, ordered)
    while True:
        resources = list(_resources(bundle))
        yield from resources
        following = _link(bundle, "next")
        if following is None:
            return
        moments = [_moment(resource) for resource in resources]
        if _is_sorted(bundle, moments) and moments[-1] > since:
            since = moments[-1]
            bundle = client.get_json(RESOURCE_TYPE, [*ordered, ("_lastUpdated", f"ge{since}")])
        else:
            bundle = _followed(client, request, following)


def _followed(client: SourceClient, request: ExtractionRequest, link: str) -> Any:
    try:
        return client.get_json(link)
    except SourceAnswerError as error:
        if error.status not in GONE:
            raise
        raise PlaceUnavailableError(
            f"The source '{request.source.slug}' let a link to its next page expire ({error.status}): nothing of this "
            "run is kept, and the next run reads the same again."
        ) from None


def _resources(bundle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in bundle.get("entry") or ():
        resource = entry.get("resource")
        # A server puts its warnings among the entries.
        if (
            isinstance(resource, Mapping)
            and resource.get("resourceType") == RESOURCE_TYPE
            and resource.get("id")
        ):
            yield resource


def _link(bundle: Mapping[str, Any], relation: str) -> str | None:
    found = (link for link in bundle.get("link") or () if link.get("relation") == relation)
    return next((link["url"] for link in found if link.get("url")), None)


def _is_sorted(bundle: Mapping[str, Any], moments: list[str]) -> bool:
    """A server says in its link `self` which parameters it took."""
    taken = parse_qs(urlsplit(_link(bundle, "self") or "").query)
    return taken.get("_sort") == ["_lastUpdated"] and bool(moments) and moments == sorted(moments)


def _moment(resource: Mapping[str, Any]) -> str:
    meta = resource.get("meta")
    return utc_text(meta.get("lastUpdated") if isinstance(meta, Mapping) else None) or ""


def _count(client: SourceClient, search: Search) -> int | None:
    """Return the server's count, None where it gives none."""
    total = client.get_json(RESOURCE_TYPE, [*search, ("_summary", "count")]).get("total")
    return total if isinstance(total, int) else None


def _refusal(answer: Any) -> str | None:
    """A server may answer 200 with an OperationOutcome in place of the bundle."""
    kind = answer.get("resourceType") if isinstance(answer, Mapping) else None
    if kind != "Bundle":
        return f"answers with {'an OperationOutcome' if kind == 'OperationOutcome' else 'no Bundle'}"
    parts = [*(answer.get("entry") or ()), *(answer.get("link") or ())]
    return (
        None if all(isinstance(part, Mapping) for part in parts) else "answers with a Bundle of another shape"
    )
