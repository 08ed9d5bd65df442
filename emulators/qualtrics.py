"""Qualtrics' export of responses, API version 3: an export is started, asked after until it is written, and fetched."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.server import Emulator

KEY = "emulated-key"
PATH = "/API/v3/surveys/{survey}/export-responses"
ACCOUNT_ZONE = "America/Denver"
"""Moments are written in it where an export asks for no other zone."""
METADATA = {
    "StartDate": "startDate",
    "EndDate": "endDate",
    "Status": "status",
    "IPAddress": "ipAddress",
    "Progress": "progress",
    "Duration (in seconds)": "duration",
    "Finished": "finished",
    "RecordedDate": "recordedDate",
    "ResponseId": "_recordId",
    "RecipientLastName": "recipientLastName",
    "RecipientFirstName": "recipientFirstName",
    "RecipientEmail": "recipientEmail",
    "ExternalReference": "externalDataReference",
    "LocationLatitude": "locationLatitude",
    "LocationLongitude": "locationLongitude",
    "DistributionChannel": "distributionChannel",
    "UserLanguage": "userLanguage",
}
"""Names of the first row and import ids of the third, in their order."""
QUESTIONS = {
    "Q1": ("QID1", "How was the care?"),
    "Q2": ("QID2_TEXT", "What could we do better?"),
    "Q3_1": ("QID3_1", "What helped? - Staff"),
    "Q3_2": ("QID3_2", "What helped? - Food"),
}
SEVERAL = ("Q3_1", "Q3_2")
LABELS = {"Q1": {"1": "Very poor", "5": "Very good"}, "Status": {"0": "IP Address", "8": "Spam"}}


@dataclass
class Qualtrics:
    """The truth that the emulator serves: the responses of one survey, in the order of their recording."""

    survey: str = "SV_1"
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    wordings: dict[str, str] = field(
        default_factory=lambda: {name: text for name, (_, text) in QUESTIONS.items()}
    )
    is_giving_all_metadata: bool = False
    """The export holds every column, whichever were asked for."""
    polls: int = 1
    """So often an export is still being written when it is asked after."""
    failing: int = 0
    """So many of the next exports fail."""
    spoiling: list[Callable[[list[list[str]]], bytes] | None] = field(default_factory=list)
    """Makes the files of the next exports from their rows, in turn; None leaves one whole."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """What each export asked for."""
    _exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def put(self, key: str, comment: str | None, recorded: str, **more: Any) -> dict[str, Any]:
        """Add or edit a response; `recorded` is in UTC. A question that was not shown holds None, one left out ""."""
        response = {
            "StartDate": recorded,
            "EndDate": recorded,
            "Status": "0",
            "IPAddress": "203.0.113.7 Must Not Land",
            "Progress": "100",
            "Duration (in seconds)": "61",
            "Finished": "1",
            "RecordedDate": recorded,
            "ResponseId": key,
            "RecipientLastName": "Surname Must Not Land",
            "RecipientFirstName": "Forename Must Not Land",
            "RecipientEmail": "mail@must.not.land.example Must Not Land",
            "ExternalReference": "Reference Must Not Land",
            "LocationLatitude": "53.4 Must Not Land",
            "LocationLongitude": "-2.2 Must Not Land",
            "DistributionChannel": "email",
            "UserLanguage": "EN",
            "Q1": "5",
            "Q2": comment,
            "Q3_1": "1",
            "Q3_2": "",
            "ward": "Ward 3",
            "ContactEmail": "other@example.org Must Not Land",
            **more,
        }
        self.responses[key] = response
        return response

    def remove(self, key: str) -> None:
        del self.responses[key]

    def emulator(self, port: int = 0) -> Emulator:
        return Emulator(
            [
                Route(PATH, self._start, methods=["POST"]),
                Route(PATH + "/{progress}", self._progress),
                Route(PATH + "/{file}/file", self._file),
            ],
            port,
        )

    async def _start(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if running := [one for one in self._exports.values() if one["status"] == "inProgress"]:
            # The time that the caller waits brings the running one to its end.
            running[0]["polls"] = 0
            running[0]["status"] = "complete"
            return Response(status_code=429, headers={"Retry-After": "5"})
        asked = await request.json()
        self.asked.append(asked)
        number = next(self._numbers)
        is_failing = self.failing > 0
        self.failing -= is_failing
        self._exports[f"ES_{number}"] = {
            "fileId": f"file-{number}",
            "status": "inProgress",
            "polls": self.polls,
            "is_failing": is_failing,
            "file": self._zip(asked),
        }
        return _result({"progressId": f"ES_{number}", "percentComplete": 0.0, "status": "inProgress"})

    async def _progress(self, request: Request) -> Response:
        export = self._exports.get(request.path_params["progress"])
        if (refused := self._refused(request)) or export is None:
            return refused or Response(status_code=404)
        if export["polls"] > 0:
            export["polls"] -= 1
            return _result({"percentComplete": 50.0, "status": "inProgress"})
        export["status"] = "failed" if export["is_failing"] else "complete"
        file_id = None if export["is_failing"] else export["fileId"]
        return _result({"fileId": file_id, "percentComplete": 100.0, "status": export["status"]})

    async def _file(self, request: Request) -> Response:
        files = {one["fileId"]: one["file"] for one in self._exports.values() if one["status"] == "complete"}
        wanted = request.path_params["file"]
        if (refused := self._refused(request)) or wanted not in files:
            return refused or Response(status_code=404)
        return Response(files[wanted], headers={"Content-Type": "application/octet-stream"})

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("X-API-TOKEN") != KEY:
            return Response(status_code=401)
        return None if request.path_params["survey"] == self.survey else Response(status_code=404)

    def _zip(self, asked: dict[str, Any]) -> bytes:
        rows = list(self._rows(asked))
        spoil = self.spoiling.pop(0) if self.spoiling else None
        return spoil(rows) if spoil else zipped(rows)

    def _rows(self, asked: dict[str, Any]) -> Iterator[list[str]]:
        """Yield three rows of header, then the responses, as the export asks."""
        columns = [
            (name, import_id, name)
            for name, import_id in METADATA.items()
            if self.is_giving_all_metadata or import_id in asked.get("surveyMetadataIds", METADATA.values())
        ]
        if "questionIds" not in asked:
            columns += [(name, QUESTIONS[name][0], self.wordings[name]) for name in QUESTIONS]
        if "embeddedDataIds" not in asked:
            columns += [(name, name, name) for name in ("ward", "ContactEmail")]
        yield [name for name, _, _ in columns]
        yield [wording for _, _, wording in columns]
        yield [json.dumps({"ImportId": import_id}) for _, import_id, _ in columns]
        bounds = [_moment(asked.get(bound)) for bound in ("startDate", "endDate")]
        for response in self.responses.values():
            recorded = _moment(response["RecordedDate"])
            assert recorded is not None
            if (bounds[0] is None or recorded >= bounds[0]) and (bounds[1] is None or recorded < bounds[1]):
                yield [_cell(name, response.get(name), asked) for name, _, _ in columns]


def zipped(rows: list[list[str]]) -> bytes:
    """Return the rows as the zip of one CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return zip_of({"Patient survey.csv": text.getvalue()})


def zip_of(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _cell(name: str, value: str | None, asked: dict[str, Any]) -> str:
    if name.endswith("Date") and value:
        moment = _moment(value)
        assert moment is not None
        return moment.astimezone(ZoneInfo(asked.get("timeZone", ACCOUNT_ZONE))).strftime("%Y-%m-%d %H:%M:%S")
    if name in QUESTIONS and value == "":
        recode = "multiselectSeenUnansweredRecode" if name in SEVERAL else "seenUnansweredRecode"
        return str(asked.get(recode, ""))
    if asked.get("useLabels") and value is not None:
        return LABELS.get(name, {}).get(value, value)
    return value or ""


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _result(result: dict[str, Any]) -> Response:
    return JSONResponse({"result": result, "meta": {"httpStatus": "200 - OK", "requestId": "emulated"}})
