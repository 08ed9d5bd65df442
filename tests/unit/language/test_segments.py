"""What a comment says in one breath stays together; what it says of two things is read twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from patient_feedback.language.segments import MAXIMUM_SEGMENTS, split_segments
from patient_feedback.words import words


def parts(text: str, language_code: str | None = "en") -> list[str]:
    return [text[start:end] for start, end in split_segments(text, language_code)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The nurses were lovely but the food was cold",
            ["The nurses were lovely", "but the food was cold"],
        ),
        (
            "I was seen quickly. Nobody told me the results.",
            ["I was seen quickly.", "Nobody told me the results."],
        ),
        (
            "The staff were so kind, the waiting room was freezing",
            ["The staff were so kind,", "the waiting room was freezing"],
        ),
        ("Parking is a nightmare - staff were great", ["Parking is a nightmare -", "staff were great"]),
        (
            "Great care on the ward\nfood needs work though",
            ["Great care on the ward", "food needs work though"],
        ),
        (
            "Everything was explained.Only the wait was long",
            ["Everything was explained.", "Only the wait was long"],
        ),
        (
            "It was all fine, apart from the parking machine",
            ["It was all fine,", "apart from the parking machine"],
        ),
    ],
)
def test_two_things_said_are_two_parts(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nothing.",
        "Very good. Thanks.",
        "Friendly, polite, helpful and caring staff at all times",
        "I waited from 9 a.m. until 3.30 for Dr. [PERSON] to come",
        "Anything but easy",
        "The well-being of patients and the follow-up were good",
    ],
)
def test_one_thing_said_is_one_part(text: str) -> None:
    assert parts(text) == [text]


def test_parts_hold_every_word_once_and_no_mark_is_cut() -> None:
    text = (
        "  Thanks [PERSON]! We saw [PERSON] at [PLACE], she was kind; however the car park was full...  Sad. "
    )
    found = split_segments(text)
    assert len(found) > 1
    assert [word for start, end in found for word in words(text[start:end])] == words(text)
    assert sum(text[start:end].count("[PERSON]") for start, end in found) == 2
    assert all(text[start:end] == text[start:end].strip() for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


def test_words_of_contrast_are_those_of_the_comments_language() -> None:
    swedish = "Personalen var väldigt trevlig men maten var kall"
    assert parts(swedish, "sv") == ["Personalen var väldigt trevlig", "men maten var kall"]
    assert parts(swedish, None) == [swedish]
    english = "The ward for older men is too noisy"
    assert parts(english) == [english]


def test_long_text_has_a_bounded_number_of_parts() -> None:
    text = "The nurse was kind to me. " * 200
    found = split_segments(text)
    assert 1 < len(found) <= MAXIMUM_SEGMENTS
    assert found[0][0] == 0 and found[-1][1] == len(text.rstrip())
