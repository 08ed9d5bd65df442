"""Discharge questionnaires on an emulated FHIR server, and the source that asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from channel import Channel, declare
from emulators.fhir import KEY, QUESTIONNAIRE, FhirServer, answered
from emulators.server import Emulator

from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import SourceConnection

SAID = {"slug": "said", "intent": "open"}
MAPPING: dict[str, Any] = {
    "record_ref": "id",
    "respondent_ref": "subject",
    "submitted_on": {
        "column": "authored",
        "formats": ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d"],
        "timezone": "Europe/London",
    },
    "rating": {
        "column": "item.1",
        "instrument": "fft",
        "version": "2020",
        "item": "overall",
        "codes": {"1": 1, "5": 5},
        "optional": True,
    },
    "comments": [
        {
            "column": "item.2.1",
            "optional": True,
            "question": {"column": "questionnaire", "values": {QUESTIONNAIRE: SAID}},
        },
        {
            "column": "item.experience",
            "optional": True,
            "question": {"column": "questionnaire", "values": {QUESTIONNAIRE: SAID}},
        },
    ],
}
IGNORED = [
    "version_id",
    "last_updated",
    "status",
    "questionnaire_version",
    "language",
    "encounter",
    "author",
    "source",
]


def said(words: str, rating: str = "5") -> list[dict[str, Any]]:
    """Return the items of version 1 of the form: a rating, and words within a group."""
    return [
        answered("1", {"valueCoding": {"code": rating}}),
        {"linkId": "2", "item": [answered("2.1", {"valueString": words})]},
    ]


def channel_of(warehouse: Settings, tmp_path: Path, emulator: Emulator, **asked: Any) -> Channel:
    request = {
        "questionnaire": QUESTIONNAIRE,
        "page_size": 3,
        "timeout_seconds": 2,
        "overlap_minutes": 0,
        **asked,
    }
    source = declare(
        tmp_path, "responses", "fhir_search", request=request, ignore_columns=IGNORED, mapping=MAPPING
    )
    return Channel(warehouse, source, SourceConnection("responses_system", f"{emulator.url}/fhir", "", KEY))


def without_rating(source: Source, folder: Path) -> Source:
    """Return the declaration with the item of the rating ignored."""
    mapping = {name: field for name, field in MAPPING.items() if name != "rating"}
    return declare(
        folder,
        source.slug,
        str(source.kind),
        request=source.request.model_dump(exclude_defaults=True),
        ignore_columns=[*IGNORED, "item.1"],
        mapping=mapping,
    )


def truth(forms: FhirServer) -> dict[str, str]:
    """Return the words of each response that stands."""
    return {
        key: resource["item"][1]["item"][0]["answer"][0]["valueString"]
        for key, resource in forms.resources.items()
        if resource["status"] in ("completed", "amended")
        and resource["questionnaire"].startswith(QUESTIONNAIRE)
    }
