"""A FHIR R4 server that holds QuestionnaireResponse: search with paging, and bulk export."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.server import Emulator

KEY = "emulated-key"
QUESTIONNAIRE = "https://forms.example.org/Questionnaire/discharge"
BASE = "/fhir"
GRANTING = "/auth/token"
GRANT = ("client_credentials", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
FIRST_MOMENT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
FHIR_JSON = "application/fhir+json"
HAS_ORDER: dict[str, Callable[[datetime, datetime], bool]] = {
    "ge": lambda one, other: one >= other,
    "gt": lambda one, other: one > other,
    "lt": lambda one, other: one < other,
}


@dataclass
class _Job:
    manifest: dict[str, Any]
    files: dict[str, bytes]
    polls_left: int


@dataclass
class FhirServer:
    """The truth that the emulator serves, and how it serves it."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: dict[str, datetime] = field(default_factory=dict)
    now: datetime = FIRST_MOMENT
    """The server's own clock; each write moves it on by a minute, or by nothing while `is_clock_stopped`."""
    is_clock_stopped: bool = False
    zone: tzinfo = UTC
    """In which it writes its moments."""
    is_sorting: bool = True
    """False: `_sort` is not known, and the newest comes first."""
    is_counting: bool = True
    is_questionnaire_known: bool = True
    """False: the parameter `questionnaire` is not known, and all is given."""
    polls: int = 2
    """How often an export is not ready yet."""
    retry_after: str | None = "5"
    requires_token: bool = True
    """Whether the files of an export want the token; a store of files refuses a request that bears one."""
    files_at: str | None = None
    """Where files lie, if not on the server itself: the address of `file_store`."""
    is_packed: bool = False
    """Files are sent with gzip where the client takes it."""
    is_file_packed: bool = False
    """Files are gzip themselves."""
    lines_in_file: int = 100
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    """What the next exports say went wrong; each is an OperationOutcome."""
    withheld: set[str] = field(default_factory=set)
    """Ids that exports leave out."""
    client: tuple[str, str] | None = None
    """Id and public key (PEM) of the client that the token service knows (SMART backend services)."""
    uses_of_token: int = 1_000
    """After so many requests a token has run out."""
    authorizations: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization of each request."""
    _assertions: set[str] = field(default_factory=set)
    _uses: dict[str, int] = field(default_factory=dict)
    _pages: dict[str, tuple[list[tuple[str, str]], int]] = field(default_factory=dict)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def put(
        self,
        key: str,
        items: list[dict[str, Any]],
        authored: str | None = "2026-03-01T08:00:00+00:00",
        status: str = "completed",
        questionnaire: str = f"{QUESTIONNAIRE}|1",
        **more: Any,
    ) -> dict[str, Any]:
        """Create or change a response; its version and its moment are the server's."""
        version = int(self.resources.get(key, {}).get("meta", {}).get("versionId", 0)) + 1
        self.deleted.pop(key, None)
        self.resources[key] = {
            "resourceType": "QuestionnaireResponse",
            "id": key,
            "meta": {"versionId": str(version), "lastUpdated": self._written(self._tick())},
            "text": {"status": "generated", "div": "<div>Name Must Not Land</div>"},
            "identifier": {"value": "Number Must Not Land"},
            "questionnaire": questionnaire,
            "status": status,
            "subject": {"reference": f"Patient/p{key}", "display": "Name Must Not Land"},
            "item": items,
            **({"authored": authored} if authored else {}),
            **more,
        }
        return self.resources[key]

    def change(self, key: str, **changes: Any) -> None:
        """Change parts of a response and keep the rest."""
        kept = {name: value for name, value in self.resources[key].items() if name != "meta"}
        meta = self.resources[key]["meta"]
        version = str(int(meta["versionId"]) + 1)
        self.resources[key] = {
            **kept,
            **changes,
            "meta": {"versionId": version, "lastUpdated": self._written(self._tick())},
        }

    def delete(self, key: str) -> None:
        del self.resources[key]
        self.deleted[key] = self._tick()

    def emulator(self, port: int = 0) -> Emulator:
        return Emulator(
            [
                Route(f"{BASE}/QuestionnaireResponse", self._search),
                Route(f"{BASE}/$export", self._export),
                Route(f"{BASE}/jobs/{{job}}", self._poll, methods=["GET"]),
                Route(f"{BASE}/jobs/{{job}}", self._drop, methods=["DELETE"]),
                Route(f"{BASE}/files/{{job}}/{{name}}", self._file),
                Route(BASE, self._page),
                Route(GRANTING, self._token, methods=["POST"]),
            ],
            port,
        )

    def file_store(self, port: int = 0) -> Emulator:
        """Another server, which holds the files of the exports."""
        return Emulator([Route(f"{BASE}/files/{{job}}/{{name}}", self._file)], port)

    @property
    def open_jobs(self) -> int:
        return len(self._jobs)

    def _tick(self) -> datetime:
        if not self.is_clock_stopped:
            self.now += timedelta(minutes=1)
        return self.now

    def _written(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).isoformat(timespec="milliseconds")

    async def _search(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        return self._bundle(request, request.query_params.multi_items(), 0)

    async def _page(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        link = self._pages.get(request.query_params.get("_getpages", ""))
        return self._bundle(request, *link) if link else Response(status_code=410)

    def _bundle(self, request: Request, asked: list[tuple[str, str]], start: int) -> Response:
        values = dict(asked)
        found = self._found(asked)
        total = {"total": len(found)} if self.is_counting else {}
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", **total}
        if values.get("_summary") == "count":
            return JSONResponse(bundle, media_type=FHIR_JSON)
        size = int(values.get("_count", 20))
        page = found[start : start + size]
        if "_elements" in values:
            names = {"resourceType", "id", *values["_elements"].split(",")}
            page = [{name: value for name, value in one.items() if name in names} for one in page]
        base = str(request.base_url).rstrip("/") + BASE
        taken = [(name, value) for name, value in asked if name != "_sort" or self.is_sorting]
        bundle["link"] = [
            {"relation": "self", "url": f"{base}/QuestionnaireResponse?{urlencode(taken)}"},
        ]
        if start + size < len(found):
            mark = f"page{next(self._numbers)}"
            self._pages[mark] = (asked, start + size)
            bundle["link"].append({"relation": "next", "url": f"{base}?_getpages={mark}"})
        bundle["entry"] = [{"resource": one, "search": {"mode": "match"}} for one in page]
        warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "other"}]}
        bundle["entry"].append({"resource": warning, "search": {"mode": "outcome"}})
        return JSONResponse(bundle, media_type=FHIR_JSON)

    def _found(self, asked: list[tuple[str, str]]) -> list[dict[str, Any]]:
        found = sorted(self.resources.values(), key=_moment, reverse=not self.is_sorting)
        for name, value in asked:
            if name == "questionnaire" and self.is_questionnaire_known:
                found = [one for one in found if _answers(one, value)]
            elif name == "status":
                found = [one for one in found if one["status"] in value.split(",")]
            elif name == "_id":
                found = [one for one in found if one["id"] in value.split(",")]
            elif name == "_lastUpdated":
                has_order, bound = HAS_ORDER[value[:2]], datetime.fromisoformat(value[2:])
                found = [one for one in found if has_order(_moment(one), bound)]
            elif name == "_sort" and self.is_sorting:
                found.sort(key=_moment, reverse=value.startswith("-"))
        return found

    async def _export(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if request.headers.get("Prefer") != "respond-async":
            return Response(status_code=400)
        since = datetime.fromisoformat(request.query_params.get("_since", "1970-01-01T00:00:00+00:00"))
        job = f"job{next(self._numbers)}"
        changed = [one for one in self.resources.values() if _moment(one) > since]
        changed = [one for one in changed if one["id"] not in self.withheld]
        gone = [key for key, moment in self.deleted.items() if moment > since]
        entries = [{"request": {"method": "DELETE", "url": f"QuestionnaireResponse/{key}"}} for key in gone]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        files: dict[str, bytes] = {}
        base = (self.files_at or str(request.base_url)).rstrip("/") + f"{BASE}/files/{job}"
        address = str(request.url)

        def listed(kind: str, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
            entries = []
            for start in range(0, len(resources), self.lines_in_file):
                part = resources[start : start + self.lines_in_file]
                name = f"{kind}{len(files) + 1}.ndjson"
                files[name] = "".join(json.dumps(one) + "\n" for one in part).encode()
                count = {"count": len(part)} if self.is_counting else {}
                entries.append({"type": kind, "url": f"{base}/{name}?signature=signed-secret", **count})
            return entries

        manifest = {
            "transactionTime": self._written(self.now),
            "request": address,
            "requiresAccessToken": self.requires_token,
            "output": listed("QuestionnaireResponse", copy.deepcopy(changed)),
            "deleted": listed("Bundle", [bundle] if entries else []),
            "error": listed("OperationOutcome", self.outcomes),
        }
        self._jobs[job] = _Job(manifest, files, self.polls)
        base = str(request.base_url).rstrip("/") + BASE
        return Response(status_code=202, headers={"Content-Location": f"{base}/jobs/{job}"})

    async def _poll(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["job"])
        if refused := self._refused(request):
            return refused
        if job is None:
            return Response(status_code=404)
        if job.polls_left:
            job.polls_left -= 1
            headers = {"X-Progress": f"{job.polls_left} to go"}
            return Response(
                status_code=202,
                headers=headers | ({"Retry-After": self.retry_after} if self.retry_after else {}),
            )
        return JSONResponse(job.manifest)

    async def _drop(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        return Response(status_code=202 if self._jobs.pop(request.path_params["job"], None) else 404)

    async def _file(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["job"])
        given = request.headers.get("Authorization")
        self.authorizations.append((request.url.path, given))
        if self.requires_token and not self._is_allowed(given):
            return Response(status_code=401)
        if not self.requires_token and given is not None:
            return Response(status_code=400)
        if job is None:
            return Response(status_code=404)
        content = job.files[request.path_params["name"]]
        headers = {"Content-Type": "application/fhir+ndjson"}
        if self.is_file_packed:
            content = gzip.compress(content)
        elif self.is_packed and "gzip" in request.headers.get("Accept-Encoding", ""):
            content, headers = gzip.compress(content), {**headers, "Content-Encoding": "gzip"}
        return Response(content, headers=headers)

    async def _token(self, request: Request) -> Response:
        """Give a token to the registered client that signs as SMART says."""
        form = await request.form()
        client_id, public_key = self.client or ("", "")
        try:
            claims = jwt.decode(
                str(form.get("client_assertion")),
                public_key,
                algorithms=["RS384", "ES384"],
                audience=str(request.url),
                options={"require": ["iss", "sub", "aud", "exp", "jti"]},
            )
        except jwt.PyJWTError:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        is_known = {claims["iss"], claims["sub"]} == {client_id} and claims["jti"] not in self._assertions
        is_short = claims["exp"] <= datetime.now(UTC).timestamp() + 300
        is_asked = (form.get("grant_type"), form.get("client_assertion_type")) == GRANT
        if not (is_known and is_short and is_asked and form.get("scope")):
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        self._assertions.add(claims["jti"])
        token = f"token-{len(self._assertions)}"
        self._uses[token] = self.uses_of_token
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": 300})

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("Authorization")
        self.authorizations.append((request.url.path, given))
        return None if self._is_allowed(given) else Response(status_code=401)

    def _is_allowed(self, given: str | None) -> bool:
        token = (given or "").removeprefix("Bearer ")
        if self.client is None:
            return token == KEY
        self._uses[token] = self._uses.get(token, 0) - 1
        return self._uses[token] >= 0


def _moment(resource: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


def _answers(resource: Mapping[str, Any], canonical: str) -> bool:
    return canonical in (resource["questionnaire"], resource["questionnaire"].partition("|")[0])


def answered(link_id: str, *values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an item with its answers, each as {"valueString": ".."}."""
    return {"linkId": link_id, "text": "The question", "answer": list(values), **more}
