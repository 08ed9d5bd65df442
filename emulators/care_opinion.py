"""Care Opinion's API, version 2: opinions by skip and take, tags and services by one request each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.server import Emulator

KEY = "emulated-key"


@dataclass
class CareOpinion:
    """The truth that the emulator serves, newest first, as the site does."""

    opinions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, number: int, body: str, submitted: str, **more: Any) -> dict[str, Any]:
        """Add or edit an opinion; `submitted` is a moment with its zone."""
        opinion = {
            "id": number,
            "title": f"Story {number}",
            "body": body,
            "dateOfSubmission": submitted,
            "dateOfPublication": submitted,
            "criticality": None,
            "progress": "published",
            "authorRole": "patient",
            "authorAgeGroup": None,
            "author": "A Name That Must Not Land",
            "tags": [{"name": "waiting", "group": "what", "polarity": -1}],
            "healthServices": [
                {
                    "nacs": "RX1",
                    "name": "Ward 3",
                    "type": "ward",
                    "organisation": "North Trust",
                    "siteNacs": "RX101",
                }
            ],
            **more,
        }
        self.opinions[str(number)] = opinion
        return opinion

    def remove(self, number: int) -> None:
        del self.opinions[str(number)]

    def emulator(self, port: int = 0) -> Emulator:
        return Emulator(
            [
                Route("/api/v2/opinions", self._list),
                Route("/api/v2/opinions/{number}/tags", self._tags),
                Route("/api/v2/opinions/{number}/healthservices", self._services),
            ],
            port,
        )

    async def _list(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        after = datetime.fromisoformat(request.query_params["submittedonafter"])
        wanted = [
            one for one in self.opinions.values() if datetime.fromisoformat(one["dateOfSubmission"]) > after
        ]
        wanted.sort(key=lambda one: datetime.fromisoformat(one["dateOfSubmission"]), reverse=True)
        skip, take = int(request.query_params["skip"]), int(request.query_params["take"])
        hidden = ("tags", "healthServices")
        page = wanted[skip : skip + min(take, 100)]
        return JSONResponse(
            [{name: value for name, value in one.items() if name not in hidden} for one in page]
        )

    async def _tags(self, request: Request) -> Response:
        return _refused(request) or self._part(request, "tags")

    async def _services(self, request: Request) -> Response:
        return _refused(request) or self._part(request, "healthServices")

    def _part(self, request: Request, name: str) -> Response:
        opinion = self.opinions.get(request.path_params["number"])
        return JSONResponse(opinion[name]) if opinion else Response(status_code=404)


def _refused(request: Request) -> Response | None:
    is_known = request.headers.get("Authorization") == f"SUBSCRIPTION_KEY {KEY}"
    return None if is_known else Response(status_code=401)
