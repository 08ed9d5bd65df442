"""SurveyMonkey's API, version 3: a survey's details, its responses in pages by number, and limits by minute and day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.server import Emulator

KEY = "emulated-key"
SURVEY_ID = "9001"
OVERALL, WHY, ASPECTS, REASONS, CONTACT, MAIL = "11", "12", "13", "14", "15", "16"
"""Questions: of a single choice, of words, a matrix, of several choices, and two that ask who somebody is."""


def choices(*texts: str, first_id: int) -> list[dict[str, Any]]:
    """Return choices with ids from `first_id` on."""
    return [
        {"id": str(first_id + index), "text": text, "position": index + 1} for index, text in enumerate(texts)
    ]


def _question(key: str, heading: str, family: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "headings": [{"heading": heading}], "family": family, "subtype": "", **more}


def _questions() -> list[dict[str, Any]]:
    overall = choices("Very good", "Good", "Neither", "Poor", "Very poor", "Don't know", first_id=101)
    aspects = {
        "rows": choices("Kindness", "Cleanliness", first_id=131),
        "choices": [
            {**choice, "weight": number, "text": ""}
            for number, choice in enumerate(choices("", "", "", first_id=135), 1)
        ],
    }
    contact = {"rows": [{"id": "151", "type": "name"}, {"id": "152", "type": "phone"}]}
    other = {"id": "149", "text": "Another reason", "is_answer_choice": True}
    reasons = {"choices": choices("Waiting", "Staff", "Food", first_id=141), "other": other}
    return [
        _question(OVERALL, "How was the service?", "single_choice", answers={"choices": overall}),
        _question(WHY, "Why did you say so?", "open_ended"),
        _question(ASPECTS, "How was", "matrix", answers=aspects),
        _question(REASONS, "What was it about?", "multiple_choice", answers=reasons),
        _question(CONTACT, "Who are you?", "demographic", answers=contact),
        _question(MAIL, "Where may we write to?", "open_ended", validation={"type": "email"}),
    ]


@dataclass
class SurveyMonkey:
    """The truth that the emulator serves."""

    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    questions: list[dict[str, Any]] = field(default_factory=_questions)
    unlisted: set[str] = field(default_factory=set)
    """Responses that the bulk list counts and does not show."""
    requests_left: int | None = None
    """Of the day; None for no limit."""

    def put(self, number: int, words: str, modified: str, **more: Any) -> dict[str, Any]:
        """Add or edit a response; `modified` is a moment with its zone, and when it was begun unless `created` says."""
        created = more.pop("created", modified)
        answers = {
            OVERALL: [{"choice_id": "101"}],
            WHY: [{"text": words, "tag_data": []}],
            ASPECTS: [{"row_id": "131", "choice_id": "137"}, {"row_id": "132", "choice_id": "135"}],
            REASONS: [{"choice_id": "141"}, {"choice_id": "142"}],
            CONTACT: [{"row_id": "151", "text": "A Name That Must Not Land"}],
            MAIL: [{"text": "must.not.land@example.org"}],
        } | more.pop("answers", {})
        response = {
            "id": str(number),
            "date_created": created,
            "date_modified": modified,
            "response_status": "completed",
            "collector_id": "77",
            "collection_mode": "default",
            "survey_id": SURVEY_ID,
            "recipient_id": "must-not-land",
            "ip_address": "203.0.113.77",
            "first_name": "Must",
            "last_name": "Not Land",
            "email_address": "must.not.land@example.org",
            "custom_value": "Must Not Land",
            "custom_variables": {"ward": "Ward 3", "hospital_number": "Must Not Land"},
            "metadata": {
                "contact": {"first_name": {"type": "string", "value": "Must Not Land"}},
                "respondent": {"language": {"type": "string", "value": "en"}},
            },
            "edit_url": "https://example.org/r/?sm=must-not-land",
            "pages": [
                {"id": "1", "questions": [{"id": key, "answers": given} for key, given in answers.items()]}
            ],
            **more,
        }
        self.responses[str(number)] = response
        return response

    def answer(self, number: int, question: str, answers: list[dict[str, Any]], modified: str) -> None:
        """Change one answer of a response; [] leaves the question unanswered."""
        response = self.responses[str(number)]
        [page] = response["pages"]
        kept = [one for one in page["questions"] if one["id"] != question]
        page["questions"] = kept + ([{"id": question, "answers": answers}] if answers else [])
        response["date_modified"] = modified

    def remove(self, number: int) -> None:
        del self.responses[str(number)]

    def question(self, key: str) -> dict[str, Any]:
        return next(one for one in self.questions if one["id"] == key)

    def remove_question(self, key: str) -> None:
        """Take a question out of the survey; its answers go with it, and no response is modified by that."""
        self.questions = [one for one in self.questions if one["id"] != key]
        for response in self.responses.values():
            for page in response["pages"]:
                page["questions"] = [one for one in page["questions"] if one["id"] != key]

    def emulator(self, port: int = 0) -> Emulator:
        survey = "/v3/surveys/{survey}"
        return Emulator(
            [
                Route(f"{survey}/details", self._details),
                Route(f"{survey}/responses/bulk", self._bulk),
                Route(f"{survey}/responses", self._ids),
                Route(f"{survey}/responses/{{number}}/details", self._one),
            ],
            port,
        )

    async def _details(self, request: Request) -> Response:
        pages = [{"id": "1", "title": "", "questions": self.questions}]
        return self._refused(request) or JSONResponse({"id": SURVEY_ID, "title": "Survey", "pages": pages})

    async def _one(self, request: Request) -> Response:
        response = self.responses.get(request.path_params["number"])
        found = JSONResponse(response) if response else _error(404, "Resource Not Found")
        return self._refused(request) or found

    async def _bulk(self, request: Request) -> Response:
        return self._refused(request) or self._page(request, 100, self.unlisted)

    async def _ids(self, request: Request) -> Response:
        return self._refused(request) or self._page(request, 1000, set(), is_short=True)

    def _page(self, request: Request, largest: int, hidden: set[str], is_short: bool = False) -> Response:
        asked = request.query_params
        wanted = [one for one in self.responses.values() if _is_between(one["date_modified"], asked)]
        wanted.sort(
            key=lambda one: (datetime.fromisoformat(one["date_modified"]), one["id"]),
            reverse=asked.get("sort_order") == "DESC",
        )
        size, page = min(int(asked.get("per_page", 50)), largest), int(asked.get("page", 1))
        links = {"self": str(request.url)}
        if page * size < len(wanted):
            links["next"] = str(request.url.include_query_params(page=page + 1))
        shown = [one for one in wanted[(page - 1) * size : page * size] if one["id"] not in hidden]
        data = (
            [{"id": one["id"], "href": f"{request.url}/{one['id']}"} for one in shown] if is_short else shown
        )
        return JSONResponse(
            {"data": data, "per_page": size, "page": page, "total": len(wanted), "links": links}
        )

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "Authorization Error")
        if self.requests_left is None:
            return None
        if self.requests_left == 0:
            refused = _error(429, "Rate limit reached")
            refused.headers["X-Ratelimit-App-Global-Day-Remaining"] = "0"
            refused.headers["X-Ratelimit-App-Global-Day-Reset"] = "7200"
            refused.headers["X-Ratelimit-App-Global-Minute-Reset"] = "30"
            return refused
        self.requests_left -= 1
        return None


def _is_between(modified: str, asked: Any) -> bool:
    """Both bounds are left out, and name no zone: they are UTC."""
    moment = datetime.fromisoformat(modified)
    start, end = (
        datetime.fromisoformat(asked[name]).replace(tzinfo=UTC) if name in asked else None
        for name in ("start_modified_at", "end_modified_at")
    )
    return (start is None or moment > start) and (end is None or moment < end)


def _error(status: int, message: str) -> Response:
    error = {"id": "1000", "name": message, "message": message, "http_status_code": status}
    return JSONResponse({"error": error}, status)
