"""Every kind of source that is asked over HTTP, under one handle: what is said there, and the channel that reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from channel import Channel, declare
from discharge_forms import IGNORED, MAPPING, said
from emulators import google_reviews
from emulators.care_opinion import KEY, CareOpinion
from emulators.fhir import QUESTIONNAIRE, FhirServer
from emulators.google_reviews import PLACE, GoogleReviews
from emulators.qualtrics import Qualtrics
from emulators.server import Emulator
from emulators.survey_monkey import SURVEY_ID, WHY, SurveyMonkey

from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection

WRITTEN = {"formats": ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"], "timezone": "Europe/London"}


@dataclass
class System(ABC):
    """A system with its emulator, asked in small pages and without a pause between requests."""

    base: ClassVar[str]
    kind: ClassVar[str]
    question: ClassVar[str]
    error_in_200: ClassVar[bytes]
    asked: ClassVar[dict[str, Any]] = {}
    mapped: ClassVar[dict[str, Any]] = {}
    answers_of_no_json: ClassVar[tuple[str, ...]] = ()
    """How addresses end whose answers are files, or are another system's."""
    site: Any = None
    truth: dict[str, str] = field(default_factory=dict)
    """The words of each record that stands, by its reference."""
    created: dict[int, datetime] = field(default_factory=dict)
    channel: Channel = field(init=False)

    @abstractmethod
    def ref(self, number: int) -> str: ...

    @abstractmethod
    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None: ...

    @abstractmethod
    def erase(self, ref: str, moment: datetime) -> None: ...

    def emulator(self) -> Emulator:
        return self.site.emulator()

    def say(self, number: int, words: str, moment: datetime) -> None:
        """Give feedback, or edit what was given, at a moment of the system's clock."""
        self.truth[self.ref(number)] = words
        self.write(number, words, self.created.setdefault(number, moment), moment)

    def remove(self, number: int, moment: datetime) -> None:
        """Take feedback back; nothing happens where there is none."""
        if self.truth.pop(self.ref(number), None) is not None:
            del self.created[number]
            self.erase(self.ref(number), moment)

    def connection(self, emulator: Emulator) -> SourceConnection:
        return SourceConnection("asked_system", f"{emulator.url}{self.base}", "", KEY)

    def open(self, warehouse: Settings, folder: Path, emulator: Emulator) -> None:
        request = {"timeout_seconds": 5, "requests_per_second": 1000, "page_size": 3, **self.asked}
        source = declare(folder, "asked", self.kind, request=request, **self.mapped)
        self.channel = Channel(warehouse, source, self.connection(emulator))


@dataclass
class Opinions(System):
    base, kind, question = "/api/v2", "care_opinion", "story"
    error_in_200 = b'"Sorry! Something went wrong."'
    site: CareOpinion = field(default_factory=CareOpinion)

    def ref(self, number: int) -> str:
        return str(number)

    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None:
        self.site.put(number, words, created.isoformat())

    def erase(self, ref: str, moment: datetime) -> None:
        del self.site.opinions[ref]


@dataclass
class Forms(System):
    base, kind, question = "/fhir", "fhir_search", "said"
    error_in_200 = (
        b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}'
    )
    asked: ClassVar = {"questionnaire": QUESTIONNAIRE}
    mapped: ClassVar = {"mapping": MAPPING, "ignore_columns": IGNORED}
    site: FhirServer = field(default_factory=lambda: FhirServer(lines_in_file=3, polls=1))

    def ref(self, number: int) -> str:
        return f"r{number}"

    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None:
        # Its clock is a minute on when it writes.
        self.site.now = changed - timedelta(minutes=1)
        self.site.put(self.ref(number), said(words), created.isoformat(timespec="seconds"), "amended")

    def erase(self, ref: str, moment: datetime) -> None:
        self.site.now = moment - timedelta(minutes=1)
        self.site.delete(ref)


@dataclass
class Exports(Forms):
    kind = "fhir_bulk"
    answers_of_no_json = (".ndjson",)


@dataclass
class Panel(System):
    base, kind, question = "/API/v3", "qualtrics", "better"
    error_in_200 = b'{"meta": {"httpStatus": "200 - OK", "error": {"errorMessage": "busy"}}}'
    asked: ClassVar = {"survey": "SV_1"}
    answers_of_no_json = ("/file",)
    mapped: ClassVar = {
        "ignore_columns": ["ContactEmail"],
        "mapping": {
            "record_ref": "ResponseId",
            "submitted_on": {"column": "EndDate", **WRITTEN},
            "comments": [{"column": "Q2", "question": {"slug": "better", "intent": "what_to_improve"}}],
        },
    }
    site: Qualtrics = field(default_factory=Qualtrics)

    def ref(self, number: int) -> str:
        return f"R_{number}"

    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None:
        # An edit leaves the date of recording as it is.
        self.site.put(self.ref(number), words, f"{created.astimezone(UTC):%Y-%m-%d %H:%M:%S}")

    def erase(self, ref: str, moment: datetime) -> None:
        del self.site.responses[ref]


@dataclass
class Survey(System):
    base, kind, question = "/v3", "survey_monkey", "why"
    error_in_200 = b'{"error": {"id": "1050", "message": "Internal Server Error"}}'
    asked: ClassVar = {"survey": SURVEY_ID}
    mapped: ClassVar = {
        "mapping": {
            "record_ref": "id",
            "submitted_on": {"column": "date_created", **WRITTEN},
            "comments": [{"column": f"q.{WHY}", "question": {"slug": "why", "intent": "open"}}],
        }
    }
    site: SurveyMonkey = field(default_factory=SurveyMonkey)

    def ref(self, number: int) -> str:
        return str(number)

    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None:
        self.site.put(number, words, changed.isoformat(), created=created.isoformat())

    def erase(self, ref: str, moment: datetime) -> None:
        self.site.remove(int(ref))


@dataclass
class Reviews(System):
    base, kind, question = "/v4", "google_reviews", "review"
    error_in_200 = b'{"error": {"code": 503, "message": "UNAVAILABLE"}}'
    asked: ClassVar = {"place": PLACE, "page_size": 1}
    answers_of_no_json = ("/token",)
    site: GoogleReviews = field(default_factory=GoogleReviews)

    def ref(self, number: int) -> str:
        return f"v{number}"

    def write(self, number: int, words: str, created: datetime, changed: datetime) -> None:
        moments = [f"{one.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" for one in (created, changed)]
        self.site.put(self.ref(number), words, moments[0], updated=moments[1])

    def erase(self, ref: str, moment: datetime) -> None:
        self.site.remove(ref)

    def connection(self, emulator: Emulator) -> SourceConnection:
        return SourceConnection(
            "asked_system",
            f"{emulator.url}{self.base}",
            google_reviews.CLIENT_ID,
            google_reviews.CLIENT_SECRET,
            self.site.extra(emulator.url),
        )


SYSTEMS: dict[str, Callable[[], System]] = {
    one.kind: one for one in (Opinions, Forms, Exports, Panel, Survey, Reviews)
}
