"""SurveyMonkey's responses (API version 3) to one survey: answers are ids, which the survey's details turn into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from patient_feedback.errors import PlaceUnavailableError
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import Extract, ExtractionRequest, Landed, RawRecord, vanished
from patient_feedback.sources.http_client import SourceAnswerError, SourceClient
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.shape import ANY, UNKNOWN_KEYS, Shape, unread_answers

if TYPE_CHECKING:
    import httpx

IDENTIFIERS = (
    "ip_address",
    "first_name",
    "last_name",
    "email_address",
    "metadata",
    "custom_value",
    "recipient_id",
    "analyze_url",
    "edit_url",
)
"""Beside these only what KEPT names is landed: a field that the source adds may be another of them."""
KEPT = ("id", "date_created", "date_modified", "response_status", "collector_id")
LANDED = Landed.AS_DECLARED
SHAPE = Shape(
    known=dict.fromkeys(
        [
            *KEPT,
            *IDENTIFIERS,
            "language",
            "custom_variables",
            "questions",
            "pages",
            "survey_id",
            "collection_mode",
            "href",
            "total_time",
            "page_path",
            "logic_path",
            "quiz_results",
            "survey_version",
        ],
        ANY,
    ),
    watched={"date_created": "date_created"},
    always={"date_created"},
)
ANSWER_KEPT = ("row_id", "col_id", "choice_id", "other_id", "text")
ANSWER_KNOWN = frozenset(
    {
        *ANSWER_KEPT,
        "tag_data",
        "choice_metadata",
        "is_correct",
        "score",
        "weight",
        "download_url",
        "content_type",
    }
)
ANSWER_SAID = frozenset({"text", "choice_id", "other_id"})
PERSONAL_FAMILIES = frozenset({"demographic", "file_upload", "payment"})
"""Families of questions that ask who somebody is (the site calls the first contact information), or for a file."""
SILENT_FAMILIES = frozenset({"presentation"})
PERSONAL_VALIDATIONS = frozenset({"email", "phone"})
REQUESTS_PER_SECOND = 2.0
LARGEST_PAGE = 100
LARGEST_ID_PAGE = 1000
PAGES_PER_EXTRACT = 10
"""What these hold lands together and stays where the day's requests run out."""
LISTINGS = 3
"""So often the ids are listed where they change while they are read."""
MISSED_AT_ONCE = 50
"""So many responses that no listing showed are fetched by one request each; the rest waits for the next run."""
GONE = (404, 410)
SECOND = timedelta(seconds=1)
CUSTOM = "custom."
"""Before the name of a variable of the link that led to the survey, in a column's name."""
UNKNOWN_CHOICE = "unknown choice"


def extract(request: ExtractionRequest) -> Iterator[Extract]:
    """Yield the responses modified since the cursor less the overlap, or in the window, oldest change first."""
    headers = {"Authorization": f"Bearer {request.connection.secret()}"}
    with SourceClient(
        request,
        headers,
        requests_per_second=REQUESTS_PER_SECOND,
        refusal=_refusal,
        reset_seconds=lambda answer: _reset_seconds(answer, request.source),
    ) as client:
        reading = _Reading(client, request)
        while not reading.is_finished:
            piece = Extract(iter(()))
            piece.records = reading.records(piece)
            yield piece
        if request.window is None:
            yield Extract(reading.reconciled())


@dataclass(frozen=True, slots=True)
class _Question:
    """What the details say of a question that may land."""

    heading: str
    choices: Mapping[str, str]
    """Words of a choice; where it has none, as a star has, its weight or position."""
    other: Mapping[str, Any]
    """The field for other words: id, its label, and whether it is a choice of its own; empty where there is none."""
    slots: tuple[dict[str, str], ...]
    """Where an answer may stand (row, column of a matrix): an empty one is landed too, so that its column is there."""


@dataclass(slots=True)
class _Reading:
    """One reading of the survey's responses, in pieces."""

    client: SourceClient
    request: ExtractionRequest
    is_finished: bool = False
    _questions: dict[str, _Question | None] = field(default_factory=dict)
    """By id; None where it must not land."""
    _unknown: set[str] = field(default_factory=set)
    """Ids that the details, asked for again, still do not name."""
    _listed: dict[str, str] = field(default_factory=dict)
    """The last change of each response that was listed."""
    _given: int = 0
    _beside_count: int = 0
    """Versions given of one response less responses outside the window: by so much more than its count is given."""
    _count: int | None = None
    _newest: str = ""
    _held: frozenset[str] = frozenset()
    """What was held before this reading."""
    _pages: Iterator[Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._newest = (self.request.cursor or {}).get("modified_at", "")
        self._pages = self._all_pages()
        if self.request.window is None:
            self._held = self.request.held_keys()

    @property
    def _address(self) -> str:
        return f"surveys/{self.request.source.request.survey}"

    def records(self, piece: Extract) -> Iterator[RawRecord]:
        """Yield the responses of the next pages."""
        given_before = self._given
        for page in islice(self._pages, PAGES_PER_EXTRACT):
            if self._count is None:
                self._count = page.get("total")
            self._learn(page["data"])
            for response in page["data"]:
                yield from self._wanted(response)
            self.is_finished = not _next_link(page)
        if self.is_finished and self._count is not None:
            if self._count != len(self._listed):
                # What came or went while it was read moves the count: the nearer one is to be compared.
                counts = (self._count, self._count_now())
                self._count = min(counts, key=lambda count: abs(count - len(self._listed)))
            piece.source_count = self._count + self._beside_count - given_before
        if self.request.window is None and self._newest:
            piece.cursor = {"modified_at": self._newest}

    def _wanted(self, response: Mapping[str, Any]) -> Iterator[RawRecord]:
        key, modified_at = str(response["id"]), utc_text(response.get("date_modified")) or ""
        if self._listed.get(key) == modified_at:
            return
        is_again = key in self._listed
        self._listed[key] = modified_at
        if self.request.window is not None:
            begin, end = self.request.window
            if not modified_at or not begin <= datetime.fromisoformat(modified_at) < end:
                self._beside_count -= not is_again
                return
        self._beside_count += is_again
        self._newest = max(self._newest, modified_at)
        self._given += 1
        yield self._record(response)

    def _record(self, response: Mapping[str, Any]) -> RawRecord:
        return RawRecord(
            str(response["id"]), _content(response, self._questions, self.request.source, self._unknown)
        )

    def _filter(self) -> tuple[datetime | None, dict[str, str]]:
        """Return from when changes are wanted, and the other bound as a parameter."""
        if self.request.window is not None:
            begin, end = self.request.window
            # Whether the bounds belong to it the source does not say: both are checked in `_wanted`.
            return begin, {"end_modified_at": _parameter(end + SECOND)}
        if not self.request.cursor:
            return None, {}
        overlap = timedelta(minutes=self.request.source.request.overlap_minutes)
        return datetime.fromisoformat(self.request.cursor["modified_at"]) - overlap, {}

    def _all_pages(self) -> Iterator[Mapping[str, Any]]:
        """Yield pages. Each asks from the last change of the one before, since numbers of pages shift."""
        begin, bound = self._filter()
        params = {
            "per_page": str(min(self.request.source.request.page_size, LARGEST_PAGE)),
            "sort_by": "date_modified",
            "sort_order": "ASC",
            **bound,
        }
        address = f"{self._address}/responses/bulk"
        page = self.client.get_json(address, {**params, **_start(begin)})
        while True:
            yield page
            following = _next_link(page)
            if not following:
                return
            changes = [utc_text(response.get("date_modified")) for response in page["data"]]
            last = max((datetime.fromisoformat(change) for change in changes if change), default=None)
            if last is not None and (begin is None or last > begin):
                begin = last
                page = self.client.get_json(address, {**params, **_start(begin)})
            else:
                # More changes at one moment than a page holds.
                page = self.client.get_json(following)

    def _count_now(self) -> int:
        begin, bound = self._filter()
        page = self.client.get_json(
            f"{self._address}/responses/bulk", {"per_page": "1", **bound, **_start(begin)}
        )
        return int(page.get("total") or 0)

    def _learn(self, responses: list[Mapping[str, Any]]) -> None:
        """Ask for the survey's details where an answer names what they did not: a survey is changed while it runs."""
        if not responses:
            return
        named = {one for response in responses for one in _named_ids(response, self._questions)}
        if self._questions and not named - self._unknown:
            return
        details = self.client.get_json(f"{self._address}/details")
        self._questions = _questions(details, self.request.source)
        self._unknown |= {one for response in responses for one in _named_ids(response, self._questions)}

    def reconciled(self) -> Iterator[RawRecord]:
        """Yield what is gone, and what came without a new change: the source's ids against the held ones."""
        known = self._held | self._listed.keys()
        for _ in range(LISTINGS):
            shown: set[str] = set()
            counts: set[int] = set()
            page = self.client.get_json(f"{self._address}/responses", {"per_page": str(LARGEST_ID_PAGE)})
            if page.get("total") == len(known):
                return
            while True:
                shown |= {str(response["id"]) for response in page["data"]}
                counts.add(int(page.get("total") or 0))
                following = _next_link(page)
                if not following:
                    break
                page = self.client.get_json(following)
            if counts == {len(shown)}:
                yield from self._missed(shown - known)
                # What came and went within this reading is held by the next, which takes it back.
                yield from vanished(self.request, self._held, shown)
                return
        # They change faster than they are read: the next run compares again.

    def _missed(self, keys: set[str]) -> Iterator[RawRecord]:
        for key in sorted(keys)[:MISSED_AT_ONCE]:
            try:
                response = self.client.get_json(f"{self._address}/responses/{key}/details")
            except SourceAnswerError as error:
                if error.status not in GONE:
                    raise
                continue
            self._learn([response])
            yield self._record(response)


def _content(
    response: Mapping[str, Any],
    questions: Mapping[str, _Question | None],
    source: Source,
    unknown: set[str],
) -> dict[str, Any]:
    """Return what may land of a response, each answer with its words."""
    unknown_keys = SHAPE.unknown(response)
    if not isinstance(response.get("pages"), list):
        raise unread_answers(source.slug, unknown_keys or ["no pages"])
    answers = {
        str(question["id"]): question.get("answers") or []
        for page in response.get("pages") or []
        for question in page.get("questions") or []
    }
    variables = response.get("custom_variables") or {}
    return {
        **{name: response[name] for name in KEPT if name in response},
        **({UNKNOWN_KEYS: unknown_keys} if unknown_keys else {}),
        "language": _language(response),
        # They may hold anything, a hospital number too: what the declaration does not read does not land.
        "custom_variables": {
            name: variables.get(name)
            for column in source.mapping.columns
            if (name := column.removeprefix(CUSTOM)) != column
        },
        "questions": [
            {"id": key, "heading": known.heading, "answers": _answers(known, answers.pop(key, []), source)}
            for key, known in questions.items()
            if known is not None
        ]
        # Who knows what a question asks that the details do not name: that it is there lands, and no words of it.
        + [
            {
                "id": key,
                "heading": None,
                "answers": [{"choice_id": one["choice_id"]} for one in given if "choice_id" in one],
            }
            for key, given in answers.items()
            if key in unknown
        ],
    }


def _answers(question: _Question, given: list[Mapping[str, Any]], source: Source) -> list[dict[str, Any]]:
    """Return the answers with their words, and an empty one wherever none was given."""
    found: list[dict[str, Any]] = []
    for answer in given:
        kept = {name: answer[name] for name in ANSWER_KEPT if answer.get(name) not in (None, "")}
        if not answer.keys() & ANSWER_SAID and (unknown := answer.keys() - ANSWER_KNOWN):
            raise unread_answers(source.slug, unknown)
        choice = question.choices.get(str(kept.get("choice_id")))
        if choice is not None:
            kept["choice"] = choice
        elif "other_id" in kept and question.other.get("is_answer_choice"):
            kept["choice"] = str(question.other.get("text") or "")
        found.append(kept)
    filled = {_slot(answer) for answer in found}
    return found + [dict(slot) for slot in question.slots if _slot(slot) not in filled]


def _slot(answer: Mapping[str, Any]) -> tuple[str, str, bool]:
    is_of_other = "other_id" in answer
    return str(answer.get("row_id") or ""), str(answer.get("col_id") or ""), is_of_other


def _questions(details: Mapping[str, Any], source: Source) -> dict[str, _Question | None]:
    """Return the survey's questions in their order, None for those that must not land."""
    found: dict[str, _Question | None] = {}
    for page in details["pages"]:
        for question in page.get("questions") or []:
            key = str(question["id"])
            found[key] = None if _is_withheld(question, source) else _question(question)
    return found


def _is_withheld(question: Mapping[str, Any], source: Source) -> bool:
    validation = (question.get("validation") or {}).get("type")
    return (
        question.get("family") in PERSONAL_FAMILIES | SILENT_FAMILIES
        or validation in PERSONAL_VALIDATIONS
        or source.ignores(f"q.{question['id']}")
    )


def _question(question: Mapping[str, Any]) -> _Question:
    answers = question.get("answers") or {}
    rows, columns = answers.get("rows") or [], answers.get("cols") or []
    offered = [
        *(answers.get("choices") or []),
        *(one for column in columns for one in column.get("choices") or []),
    ]
    other = answers.get("other") or {}
    headings = question.get("headings") or [{}]
    slots = [
        {name: str(part["id"]) for name, part in (("row_id", row), ("col_id", column)) if part}
        for row in rows or [{}]
        for column in columns or [{}]
    ]
    if other:
        slots.append({"other_id": str(other.get("id"))})
    return _Question(
        str(headings[0].get("heading") or question.get("heading") or ""),
        {str(choice["id"]): _choice_words(choice) for choice in offered},
        other,
        tuple(slots),
    )


def _choice_words(choice: Mapping[str, Any]) -> str:
    return str(
        next(
            (choice[name] for name in ("text", "weight", "position") if choice.get(name) not in (None, "")),
            "",
        )
    )


def _named_ids(response: Mapping[str, Any], questions: Mapping[str, _Question | None]) -> Iterator[str]:
    """Yield the ids of questions and choices that a response names and these questions do not have."""
    for page in response.get("pages") or []:
        for question in page.get("questions") or []:
            key = str(question["id"])
            if key not in questions:
                yield key
                continue
            known = questions[key]
            for answer in question.get("answers") or [] if known is not None else []:
                choice = answer.get("choice_id")
                if known is not None and choice and str(choice) not in known.choices:
                    yield str(choice)


def _language(response: Mapping[str, Any]) -> str | None:
    if isinstance(given := response.get("language"), str):
        return given
    given = response.get("metadata")
    for name in ("respondent", "language", "value"):
        given = given.get(name) if isinstance(given, Mapping) else None
    return given if isinstance(given, str) else None


def _start(begin: datetime | None) -> dict[str, str]:
    # A second less: the source compares whole seconds, and does not say whether the bound belongs to it.
    return {} if begin is None else {"start_modified_at": _parameter(begin - SECOND)}


def _parameter(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _next_link(page: Mapping[str, Any]) -> str | None:
    link = (page.get("links") or {}).get("next")
    return str(link) if link else None


def _reset_seconds(answer: httpx.Response, source: Source) -> float | None:
    """Return when the minute's requests are given again; raise where the day's are used up."""

    def said(name: str) -> str:
        return answer.headers.get(f"X-Ratelimit-App-Global-{name}", "").strip()

    if said("Day-Remaining") == "0":
        when = f" in {int(said('Day-Reset')) // 60 + 1} minutes" if said("Day-Reset").isdecimal() else ""
        raise PlaceUnavailableError(
            f"The source '{source.slug}' has given as many answers as it gives in a day: it answers again{when}. What came "
            "before is kept, and the next run goes on from there; ask less often, or for a higher limit."
        )
    return float(said("Minute-Reset")) if said("Minute-Reset").isdecimal() else None


def _refusal(answer: Any) -> str | None:
    """An error may come with status 200, in place of the list or the survey, and a list with elements that are cut."""
    if not isinstance(answer, Mapping):
        return "answers with no object"
    if "data" in answer:
        if not isinstance(answer["data"], list):
            return "answers with no list"
        if any(not isinstance(one, Mapping) or len(one) < 2 or "id" not in one for one in answer["data"]):
            return "answers with elements that lack their keys"
        return None
    return None if isinstance(answer.get("pages"), list) else "answers with neither responses nor a survey"


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response as columns: its head, `custom.<name>`, and of each question `heading.<id>` and its answers.

    An answer is `q.<id>`, of a matrix `q.<id>.<row>` (and `.<column>` where it has several), other words
    `q.<id>.other`. Of several choices it is a list. A choice that the survey's details do not name is
    `unknown choice <id>`, so that the check of the codes names it.
    """
    columns: dict[str, Any] = {
        "id": content.get("id"),
        "date_created": utc_text(content.get("date_created")) or content.get("date_created"),
        "date_modified": utc_text(content.get("date_modified")) or content.get("date_modified"),
        "response_status": content.get("response_status"),
        "collector_id": content.get("collector_id"),
        "language": content.get("language"),
    }
    for name, value in (content.get("custom_variables") or {}).items():
        columns[f"{CUSTOM}{name}"] = value
    for question in content.get("questions") or []:
        columns[f"heading.{question['id']}"] = question.get("heading")
        found: dict[str, list[str]] = {}
        for answer in question.get("answers") or []:
            parts = [
                str(question["id"]),
                *(str(answer[name]) for name in ("row_id", "col_id") if name in answer),
            ]
            column = f"q.{'.'.join(parts)}"
            choice = answer.get("choice")
            if choice is None and "choice_id" in answer:
                choice = f"{UNKNOWN_CHOICE} {answer['choice_id']}"
            if choice is not None:
                found.setdefault(column, []).append(choice)
            words = f"{column}.other" if "other_id" in answer else column
            found.setdefault(words, []).extend([answer["text"]] if "text" in answer else [])
        for column, values in found.items():
            columns[column] = None if not values else values[0] if len(values) == 1 else values
    return columns
