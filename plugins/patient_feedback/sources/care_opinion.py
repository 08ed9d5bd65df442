"""Care Opinion's opinions (API version 2): stories of patients, with their tags and the services they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from patient_feedback.sources.extraction import Extract, ExtractionRequest, Landed, RawRecord, vanished
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient
from patient_feedback.sources.landed_extract import content_sha256
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.shape import ANY, KEY, LIST, NUMBER, TEXT, Shape, Types

IDENTIFIERS = ("author", "authorName", "authorEmail", "email")
REQUESTS_PER_SECOND = 5.0
FIRST_DAY = "2005-01-01T00:00:00+00:00"
LONGEST_TAGGING = timedelta(days=30)
"""Tags are given after publication, and the list does not show them: so far back every run asks for them again."""
LISTED: dict[str, Types] = {
    "id": KEY,
    "title": TEXT,
    "body": TEXT,
    "dateOfSubmission": TEXT,
    "dateOfPublication": TEXT,
    "criticality": TEXT,
    "progress": TEXT,
    "authorRole": TEXT,
    "authorAgeGroup": TEXT,
}
"""What is read of an opinion as the list shows it; where it changes, the opinion is landed again whatever its age."""
LANDED = Landed.WHOLE
SHAPE = Shape(
    known={
        **LISTED,
        "links": ANY,
        "tags": LIST,
        "tags.name": TEXT,
        "tags.group": TEXT,
        "tags.polarity": NUMBER,
        "healthServices": LIST,
        "healthServices.nacs": TEXT,
        "healthServices.name": TEXT,
        "healthServices.type": TEXT,
        "healthServices.organisation": TEXT,
        "healthServices.siteNacs": TEXT,
    },
    watched={
        "title": "title",
        "body": "body",
        "dateOfSubmission": "submitted",
        "criticality": "criticality",
        "tags": "tags",
        "tags.name": "tags",
        "healthServices": "organisation",
        "healthServices.name": "service",
        "healthServices.organisation": "organisation",
        "healthServices.siteNacs": "site",
    },
    always={"title", "body", "dateOfSubmission", "criticality"},
)
WHOLE_KEYS = frozenset({"id", "body", "dateOfSubmission"})
GONE = (404, 410)
ERROR_WORDS = "sorry! something went wrong"


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield one extract: the opinions submitted after the cursor less the time in which one is still tagged.

    An older one is read where it is not held yet, or where the list shows it changed. One that is held and no longer
    listed is withdrawn.
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
        overlap = max(LONGEST_TAGGING, timedelta(minutes=request.source.request.overlap_minutes))
        begin, end = datetime.fromisoformat(newest) - overlap, None
    with SourceClient(request, headers, requests_per_second=REQUESTS_PER_SECOND, refusal=_refusal) as client:
        listed: set[str] = set()
        held = request.held_listings()
        # All are listed, since one that was taken down is told by nothing else; a window's first moment is included.
        since = datetime.fromisoformat(FIRST_DAY) if request.window is None else begin - timedelta(days=1)
        for opinion in _listed(client, request, since):
            listed.add(str(opinion["id"]))
            submitted_at = utc_text(opinion.get("dateOfSubmission"))
            if submitted_at and end and datetime.fromisoformat(submitted_at) >= end:
                continue
            is_before = bool(submitted_at) and datetime.fromisoformat(submitted_at or "") < begin
            key = str(opinion["id"])
            listing = content_sha256(RawRecord(key, {name: opinion.get(name) for name in LISTED}))
            # An old one that lacks what all have is not changed: the list is, and the newer ones show it.
            is_whole = SHAPE.always <= {name for name, _ in SHAPE.keys(opinion)}
            is_changed = key not in held or (held[key] != listing and is_whole)
            if is_before and (request.window or not is_changed):
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
            content = {**opinion, "tags": tags, "healthServices": services}
            yield RawRecord(key, content, listing=listing)
    if request.window is None:
        # An opinion that was taken down is no longer listed.
        yield from vanished(request, frozenset(held), listed)
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
