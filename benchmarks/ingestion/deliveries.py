"""The files that are delivered: the HCAHPS hospital file, and generated feedback of any length."""

from __future__ import annotations

import csv
import os
import random
from datetime import date, timedelta
from pathlib import Path

import yaml
from emulators.sample_feedback import sample_feedback

from patient_feedback.sources.declaration import Source, load_sources

GENERATED = "generated"
HCAHPS = "hcahps"
HEADER = ("response", "person", "date", "trust", "ward", "rating", "question", "comment")
TRUSTS, WARDS = ("North Trust", "South Trust", "East Trust"), tuple(f"Ward {number}" for number in range(40))
QUESTIONS = ("What was good?", "What could be better?")
FIRST_DAY = date(2024, 1, 1)
COMMENTS = ("fft_access", "fft_decisions", "fft_people", "fft_place", "survey_en")
"""Of samples/bank."""
MAPPING = {
    "record_ref": "response",
    "respondent_ref": "person",
    "submitted_on": {"column": "date", "formats": ["%d/%m/%Y"]},
    "organisation": {"column": "trust"},
    "service": {"column": "ward"},
    "rating": {
        **{"column": "rating", "instrument": "fft", "version": "2020", "item": "overall_experience"},
        "codes": {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": None},
    },
    "comments": [
        {
            "column": "comment",
            "question": {
                "column": "question",
                "values": {
                    QUESTIONS[0]: {"slug": "good", "intent": "what_was_good"},
                    QUESTIONS[1]: {"slug": "better", "intent": "what_to_improve"},
                },
            },
        }
    ],
}


def hcahps_file() -> Path | None:
    """Return the CMS's hospital file (CSV or zip) that HCAHPS_ZIP names, which does not come with the project."""
    given = os.environ.get("HCAHPS_ZIP")
    return Path(given).resolve() if given else None


def generated_feedback(path: Path, count: int) -> Path:
    """Write `count` responses with a rating and a comment each, the same ones every time; nearly all comments differ."""
    drawn = random.Random(count)
    comments = [said.text for said in sample_feedback(*COMMENTS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(count):
            day = FIRST_DAY + timedelta(days=drawn.randrange(730))
            place = (drawn.choice(TRUSTS), drawn.choice(WARDS))
            said = (drawn.randint(1, 6), drawn.choice(QUESTIONS), " ".join(drawn.sample(comments, 2)))
            writer.writerow((f"r{number:09}", f"p{number // 2:09}", f"{day:%d/%m/%Y}", *place, *said))
    return path


def declared(folder: Path, slug: str, kind: str, path: Path) -> Source:
    """Return the source of one file, read through a declaration as a user's."""
    source = {
        "slug": slug,
        "label": slug,
        "kind": kind,
        "owner": "bench@example.org",
        "where": {"path": str(path)},
    }
    if kind == "csv_file":
        source["mapping"] = MAPPING
    declaration = folder / f"{slug}.yml"
    declaration.write_text(yaml.safe_dump({"sources": [source]}), encoding="utf-8")
    return load_sources(declaration)[0]
