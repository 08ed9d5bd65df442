"""Google Business reviews, version 4: newest change first, page tokens that expire, and a token service beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.server import Emulator

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "emulated-client", "emulated-secret", "emulated-refresh"
PLACE = "accounts/1/locations/2"


@dataclass
class GoogleReviews:
    """The truth that the emulator serves."""

    reviews: dict[str, dict[str, Any]] = field(default_factory=dict)
    uncounted: int = 0
    """So many more reviews the count says than are listed."""
    tokens: int = 0
    """Access tokens that were given; only the last one is good."""
    page_tokens: set[str] = field(default_factory=set)

    def put(self, key: str, comment: str | None, created: str, **more: Any) -> dict[str, Any]:
        """Add or edit a review; `created` is a moment in UTC, and when it was changed last unless `updated` says."""
        review = {
            "name": f"{PLACE}/reviews/{key}",
            "reviewId": key,
            "reviewer": {
                "displayName": "A Name That Must Not Land",
                "profilePhotoUrl": "https://example.org/must-not-land.png",
            },
            "starRating": more.pop("stars", "FIVE"),
            "comment": comment,
            "createTime": created,
            "updateTime": more.pop("updated", created),
            **more,
        }
        if comment is None:
            del review["comment"]
        self.reviews[key] = review
        return review

    def remove(self, key: str) -> None:
        del self.reviews[key]

    def end_access(self) -> None:
        """Let the access token that was given last run out."""
        self.tokens += 1

    def end_pages(self) -> None:
        """Let all page tokens expire."""
        self.page_tokens.clear()

    def extra(self, url: str) -> dict[str, str]:
        """Return what a connection's extra holds for an emulator at `url`."""
        return {"refresh_token": REFRESH_TOKEN, "token_url": f"{url}/token"}

    def emulator(self, port: int = 0) -> Emulator:
        return Emulator(
            [
                Route("/token", self._token, methods=["POST"]),
                Route("/v4/accounts/{account}/locations/{location}/reviews", self._list),
            ],
            port,
        )

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        expected = {
            "grant_type": ["refresh_token"],
            "refresh_token": [REFRESH_TOKEN],
            "client_id": [CLIENT_ID],
            "client_secret": [CLIENT_SECRET],
        }
        if form != expected:
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.tokens += 1
        return JSONResponse(
            {"access_token": f"access-{self.tokens}", "expires_in": 3599, "token_type": "Bearer"}
        )

    async def _list(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer access-{self.tokens}":
            return _error(401, "UNAUTHENTICATED")
        begin, token = 0, request.query_params.get("pageToken")
        if token is not None:
            if token not in self.page_tokens:
                return _error(400, "INVALID_ARGUMENT")
            begin = int(token.removeprefix("from-"))
        assert request.query_params["orderBy"] == "updateTime desc"
        listed = sorted(
            self.reviews.values(), key=lambda one: datetime.fromisoformat(one["updateTime"]), reverse=True
        )
        end = begin + min(int(request.query_params["pageSize"]), 50)
        page: dict[str, Any] = {}
        if listed:
            page = {"reviews": listed[begin:end], "averageRating": 4.5}
            page["totalReviewCount"] = len(listed) + self.uncounted
        if end < len(listed):
            page["nextPageToken"] = f"from-{end}"
            self.page_tokens.add(page["nextPageToken"])
        return JSONResponse(page)


def _error(status: int, name: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": name, "status": name}}, status)
