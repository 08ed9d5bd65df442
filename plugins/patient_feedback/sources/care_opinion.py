"""Care Opinion's opinions (API version 2): stories of patients, with their tags and the services they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from patient_feedback.sources.extraction import Extract, ExtractionRequest, RawRecord, vanished
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient
from patient_feedback.sources.moments import utc_text

IDENTIFIERS = ("author", "authorName", "authorEmail", "email")
REQUESTS_PER_SECOND = 5.0
FIRST_DAY = "2005-01-01T00:00:00+00:00"
LONGEST_EDIT = timedelta(days=30)
"""Tags and criticality are given after publication: so far back every run reads again."""
WHOLE_KEYS = frozenset({"id", "body", "dateOfSubmission"})
GONE = (404, 410)
ERROR_WORDS = "sorry! something went wrong"


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield one extract: the opinions submitted after the cursor less the time in which one is still tagged.

    An older one is read where it is not held yet. One that is held and no longer listed is withdrawn.
    """
    found = Extract(iter(()))
    found.records = _opinions(request, found)
    yield found


def _opinions(request: ExtractionRequest, found: Extract) -> Iterator[RawRecord]:
    headers = {"Authorization": f"SUBSCRIPTION_KEY {request.connection.secret()}"}
    newest = (request.cursor or {}).get("submitted_at", FIRST_DAY)
    if request.window:
        begin, end = request.window
    else:
        overlap = max(LONGEST_EDIT, timedelta(minutes=request.source.request.overlap_minutes))
        begin, end = datetime.fromisoformat(newest) - overlap, None
    with SourceClient(request, headers, requests_per_second=REQUESTS_PER_SECOND, refusal=_refusal) as client:
        listed: set[str] = set()
        held = request.held_keys()
        # All are listed, since one that was taken down is told by nothing else; a window's first moment is included.
        since = datetime.fromisoformat(FIRST_DAY) if request.window is None else begin - timedelta(days=1)
        for opinion in _listed(client, request, since):
            listed.add(str(opinion["id"]))
            submitted_at = utc_text(opinion.get("dateOfSubmission"))
            if submitted_at and end and datetime.fromisoformat(submitted_at) >= end:
                continue
            is_before = bool(submitted_at) and datetime.fromisoformat(submitted_at or "") < begin
            if is_before and (request.window or str(opinion["id"]) in held):
                continue
            newest = max(newest, submitted_at or "")
            try:
                tags = client.get_json(f"opinions/{opinion['id']}/tags")
                services = client.get_json(f"opinions/{opinion['id']}/healthservices")
            except SourceAnswerError as error:
                if error.status not in GONE:
                    raise
                # Taken down between the list and its tags.
                listed.discard(str(opinion["id"]))
                continue
            yield RawRecord(str(opinion["id"]), {**opinion, "tags": tags, "healthServices": services})
    if request.window is None:
        # An opinion that was taken down is no longer listed.
        yield from vanished(request, held, listed)
        found.cursor = {"submitted_at": newest}


def _listed(client: SourceClient, request: ExtractionRequest, begin: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield each opinion once. Pages shift while they are read, so each begins where the one before half ended."""
    take, skip = request.source.request.page_size, 0
    seen: set[str] = set()
    while page := client.get_json(
        "opinions", {"take": take, "skip": skip, "submittedonafter": begin.strftime("%Y-%m-%dT%H:%M:%SZ")}
    ):
        for opinion in page:
            if str(opinion["id"]) not in seen:
                seen.add(str(opinion["id"]))
                yield opinion
        skip += max(1, len(page) // 2)


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an opinion as columns; of several services the first is the one that the opinion is about."""
    services = [one for one in content.get("healthServices") or [] if isinstance(one, Mapping)]
    tags = [one for one in content.get("tags") or [] if isinstance(one, Mapping) and one.get("name")]
    service = services[0] if services else {}
    return {
        "id": content.get("id"),
        "title": content.get("title"),
        "body": content.get("body"),
        "submitted": utc_text(content.get("dateOfSubmission")) or content.get("dateOfSubmission"),
        "published": utc_text(content.get("dateOfPublication")),
        "criticality": content.get("criticality"),
        "progress": content.get("progress"),
        "author_role": content.get("authorRole"),
        "author_age_group": content.get("authorAgeGroup"),
        "organisation": service.get("organisation"),
        "site": service.get("siteNacs"),
        "service": service.get("name"),
        "services": [one.get("name") for one in services if one.get("name")],
        "tags": [tag["name"] for tag in tags],
        "positive_tags": [tag["name"] for tag in tags if tag.get("polarity") == 1],
        "negative_tags": [tag["name"] for tag in tags if tag.get("polarity") == -1],
    }


def _refusal(answer: Any) -> str | None:
    """An error comes with status 200: as a text, or as elements that lack nearly all of their keys."""
    if isinstance(answer, str) or (isinstance(answer, Mapping) and ERROR_WORDS in str(answer).lower()):
        return "answers with an error text"
    if not isinstance(answer, list):
        return "answers with no list"
    for element in answer:
        if not isinstance(element, Mapping):
            return "answers with elements that are no objects"
        is_opinion = "dateOfPublication" in element or "body" in element
        if len(element) == 1 or (is_opinion and not set(element) >= WHOLE_KEYS):
            return "answers with elements that lack their keys"
    return None
