"""Who answers: age band, sex, language, deprivation and disability, some of them missing."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeVar

from sample_sources.bank import Entry

Value = TypeVar("Value")

AGE_BANDS = {
    "16-24": 7,
    "25-34": 13,
    "35-44": 13,
    "45-54": 13,
    "55-64": 15,
    "65-74": 17,
    "75-84": 15,
    "85+": 7,
}
CHILD_BEARING = {"16-24": 3, "25-34": 8, "35-44": 4}
PARENTS = {"16-24": 1, "25-34": 6, "35-44": 6, "45-54": 2}
LANGUAGES = {
    "English": 170, "Urdu": 6, "Polish": 6, "Punjabi": 4, "Arabic": 4, "Romanian": 4, "Somali": 3,
    "Bengali": 2, "Ukrainian": 2, "British Sign Language": 1,
}  # fmt: skip
ETHNIC_GROUPS = {
    "White": 74,
    "Asian or Asian British": 12,
    "Black, Black British, Caribbean or African": 6,
    "Mixed or multiple": 3,
    "Other": 2,
}


@dataclass(frozen=True)
class Person:
    """Delivered wording; an empty text where nothing was given."""

    age_band: str
    sex: str
    language: str
    quintile: str
    disability: str
    ethnic_group: str


def pick(random: Random, weights: dict[Value, int]) -> Value:
    return random.choices(list(weights), weights=list(weights.values()))[0]


def draw_person(
    random: Random, service: str, entry: Entry | None, languages: dict[str, int] = LANGUAGES
) -> Person:
    """Return a person who could have written `entry` at `service`; one attribute in twelve is missing."""
    ages = {"maternity": CHILD_BEARING, "barnmorska": CHILD_BEARING, "children": PARENTS}.get(
        service, AGE_BANDS
    )
    topic = entry.topic if entry else None
    native = next(iter(languages))
    spoken = (
        {name: weight for name, weight in languages.items() if name != native}
        if topic in {"interpreters", "tolk"}
        else languages
    )
    drawn = {
        "age_band": pick(random, ages),
        "sex": "Female"
        if service in {"maternity", "barnmorska"}
        else pick(random, {"Female": 57, "Male": 41, "Other": 1}),
        "language": pick(random, spoken),
        "quintile": pick(random, {"1": 26, "2": 23, "3": 20, "4": 17, "5": 14}),
        "disability": "Yes" if topic == "accessibility" else pick(random, {"No": 72, "Yes": 28}),
        "ethnic_group": pick(random, ETHNIC_GROUPS),
    }
    kept = {name: "" if random.random() < 1 / 12 else value for name, value in drawn.items()}
    return Person(**(kept | dict(entry.speaker if entry else {})))
