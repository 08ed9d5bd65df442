"""Google Business reviews (API version 4) of one location: newest change first, without a filter by date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from patient_feedback.sources.extraction import Extract, ExtractionRequest, Landed, RawRecord, vanished
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.shape import FLAG, OBJECT, TEXT, Shape
from patient_feedback.sources.token_grant import refresh_token_grant

# A reply is the organisation's and often greets the reviewer by name.
IDENTIFIERS = (
    "reviewer.displayName",
    "reviewer.profilePhotoUrl",
    "reviewReply.comment",
    "reviewMediaItems",
)
LARGEST_PAGE = 50
LISTINGS = 3
"""So often the reviews are listed where they change while they are read."""
LATEST_REPLY = timedelta(days=30)
"""A reply does not move a review in the list: so far back every run reads again."""
LANDED = Landed.WHOLE
SHAPE = Shape(
    known={
        "name": TEXT,
        "reviewId": TEXT,
        "reviewer": OBJECT,
        "reviewer.isAnonymous": FLAG,
        "starRating": TEXT,
        "comment": TEXT,
        "createTime": TEXT,
        "updateTime": TEXT,
        "reviewReply": OBJECT,
        "reviewReply.updateTime": TEXT,
    },
    watched={"starRating": "star_rating", "comment": "comment", "createTime": "created"},
    always={"starRating", "createTime"},
    # A review may consist of stars alone.
    usual={"comment"},
)
WHOLE_KEYS = frozenset({"reviewId", "updateTime"})
_TRANSLATED_FIRST = re.compile(r"\s*\(Translated by Google\).*?\n\s*\(Original\)\s*(.*)", re.DOTALL)
_TRANSLATED_LAST = re.compile(r"(.*?)\n\s*\(Translated by Google\)", re.DOTALL)


@dataclass(slots=True)
class _Listing:
    """What one reading of the list has shown."""

    uncounted: int
    """So many more than it lists the source counted when the list was last read whole: it may count some it hides."""
    keys: set[str] = field(default_factory=set)
    counts: list[int] = field(default_factory=list)
    """The count that each page gives of all reviews."""
    is_complete: bool = False
    """The last page was reached."""

    @property
    def is_steady(self) -> bool:
        """Nothing came or went while it was read: a page that shifts may hide a review."""
        return self.is_complete and self.counts_are(len(self.keys))

    def counts_are(self, listed: int) -> bool:
        """Tell whether each page's count is what so many listed reviews make."""
        return set(self.counts) == {listed + self.uncounted}


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield one extract: the reviews changed since the cursor, and all where the count says that some are gone."""
    found = Extract(iter(()))
    found.records = _reviews(request, found)
    yield found


def _reviews(request: ExtractionRequest, found: Extract) -> Iterator[RawRecord]:
    cursor = request.cursor or {}
    newest, uncounted = cursor.get("updated_at", ""), int(cursor.get("uncounted", 0))
    begin = None
    if request.window is None and newest:
        overlap = max(LATEST_REPLY, timedelta(minutes=request.source.request.overlap_minutes))
        begin = datetime.fromisoformat(newest) - overlap
    held = request.held_keys()
    shown: set[tuple[str, str]] = set()
    before: set[str] | None = None
    is_whole = False
    grant = refresh_token_grant(request.connection)
    with SourceClient(request, grant=grant, refusal=_refusal) as client:
        location = _Location(client, request)
        for _ in range(LISTINGS):
            listing = _Listing(uncounted)
            for review in _listed(location, listing, begin):
                version = (review["reviewId"], review["updateTime"])
                if version in shown or not _is_wanted(review, request):
                    continue
                shown.add(version)
                newest = max(newest, utc_text(review["updateTime"]) or "")
                yield RawRecord(version[0], review)
            # A count that never agrees is believed less than two lists that do.
            is_whole = listing.is_steady or (listing.is_complete and listing.keys == before)
            if is_whole or (not listing.is_complete and listing.counts_are(len(held | listing.keys))):
                break
            before, begin = listing.keys if listing.is_complete else None, None
    if request.window is not None:
        return
    if is_whole:
        yield from vanished(request, held, listing.keys)
        if listing.counts:
            # Of a review that was edited or went while it was read, two versions or one more were given.
            found.source_count = listing.counts[-1] + len(shown) - len(listing.keys)
            uncounted = listing.counts[-1] - len(listing.keys)
    if newest:
        found.cursor = {"updated_at": newest, "uncounted": str(uncounted)}


def _is_wanted(review: Mapping[str, Any], request: ExtractionRequest) -> bool:
    if request.window is None:
        return True
    begin, end = request.window
    updated_at = utc_text(review["updateTime"])
    return updated_at is not None and begin <= datetime.fromisoformat(updated_at) < end


def _listed(location: _Location, listing: _Listing, begin: datetime | None) -> Iterator[Mapping[str, Any]]:
    """Yield the reviews page by page, until one was last changed before `begin`."""
    token: str | None = None
    may_begin_again = True
    while True:
        try:
            page = location.page(token)
        except SourceAnswerError as error:
            if error.status != 400 or token is None or not may_begin_again:
                raise
            # The page's token has expired: from the first page on, what is shown twice is known.
            may_begin_again, token = False, None
            continue
        if page.get("totalReviewCount") is not None:
            listing.counts.append(int(page["totalReviewCount"]))
        reviews = page.get("reviews") or []
        for review in reviews:
            listing.keys.add(review["reviewId"])
            yield review
        token = page.get("nextPageToken") or None
        if token is None:
            listing.is_complete = True
            return
        moments = [utc_text(review["updateTime"]) for review in reviews]
        if begin and any(moment and datetime.fromisoformat(moment) < begin for moment in moments):
            return


class _Location:
    """Gives a location's pages."""

    def __init__(self, client: SourceClient, request: ExtractionRequest) -> None:
        self._client = client
        self._page_size = str(min(request.source.request.page_size, LARGEST_PAGE))
        self._address = f"{request.source.request.place}/reviews"

    def page(self, page_token: str | None) -> Mapping[str, Any]:
        params = {"pageSize": self._page_size, "orderBy": "updateTime desc"}
        if page_token:
            params["pageToken"] = page_token
        answer: Mapping[str, Any] = self._client.get_json(self._address, params)
        return answer


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a review as columns; of a translated comment the words that the patient wrote."""
    reviewer = content.get("reviewer")
    reply = content.get("reviewReply")
    created, updated = content.get("createTime"), content.get("updateTime")
    return {
        "id": content.get("reviewId"),
        "location": str(content.get("name") or "").partition("/reviews/")[0] or None,
        "star_rating": content.get("starRating"),
        "comment": original_words(content.get("comment")),
        "created": utc_text(created) or created,
        "updated": utc_text(updated) or updated,
        # What is false is left out by the source.
        "is_anonymous": bool(reviewer.get("isAnonymous")) if isinstance(reviewer, Mapping) else None,
        "is_replied": reply is not None,
        "replied_at": utc_text(reply.get("updateTime")) if isinstance(reply, Mapping) else None,
    }


def original_words(comment: Any) -> str | None:
    """Return a comment without the machine's translation, which stands before or behind the original."""
    if not isinstance(comment, str):
        return None
    if found := _TRANSLATED_FIRST.fullmatch(comment) or _TRANSLATED_LAST.match(comment):
        return found[1].strip()
    return comment


def _refusal(answer: Any) -> str | None:
    """An error may come with status 200, and a page with reviews that are cut."""
    if not isinstance(answer, Mapping):
        return "answers with no object"
    if "error" in answer:
        return "answers with an error in place of reviews"
    reviews = answer.get("reviews", [])
    if not isinstance(reviews, list):
        return "answers with no list of reviews"
    if any(not isinstance(one, Mapping) or not set(one) >= WHOLE_KEYS for one in reviews):
        return "answers with reviews that lack their keys"
    return None
