"""Readability by the published formulas: LIX for Swedish, Flesch and SMOG for English."""

from __future__ import annotations

import math

import pytest

from patient_feedback.language.readability import flesch_reading_ease, lix, sentences, smog_grade, syllables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Ten words, two sentences, two of them long (mottagningen, undersökning).
        ("Du kommer till oss på mottagningen. Vi gör en undersökning.", 10 / 2 + 100 * 2 / 10),
        ("Du kan ringa.", 3.0),
        # Six letters are not long, seven are.
        ("abcdef", 1.0),
        ("abcdefg", 101.0),
        # Headings and list items are sentences; points of numbers and abbreviations end none.
        ("Tider\n\nRing oss", 3 / 2),
        ("Ta 1.5 tabletter t.ex. idag", 5 + 100 * 1 / 5),
        ("... !", None),
        ("", None),
        # A letter and its accent in two characters are one letter; digits are none.
        ("la\u0308kare", 1.0),
        ("0701234567", 1.0),
    ],
)
def test_lix_is_words_per_sentence_and_long_words(text: str, expected: float | None) -> None:
    assert lix(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("The cat sat on the mat.", 116),
        ("This sentence, taken as a reading passage unto itself, is being used to prove a point.", 69),
        ("The Australian platypus is seemingly a hybrid of a mammal and reptilian creature.", 37.5),
        ("... !", None),
    ],
)
def test_flesch_gives_the_figures_that_are_published_for_sentences(
    text: str, published: float | None
) -> None:
    assert flesch_reading_ease(text) == (
        published if published is None else pytest.approx(published, abs=0.5)
    )


@pytest.mark.parametrize("polysyllable_count", [0, 16, 30, 64])
def test_smog_of_thirty_sentences_is_by_the_formula_and_near_the_rule_of_thumb(
    polysyllable_count: int,
) -> None:
    thirty = [["We", "listen"] for _ in range(30)]
    for place in range(polysyllable_count):
        thirty[place % 30].append("information")
    grade = smog_grade(" ".join(" ".join(words) + "." for words in thirty))
    assert grade == pytest.approx(3.1291 + 1.0430 * math.sqrt(polysyllable_count))
    assert grade == pytest.approx(3 + math.sqrt(polysyllable_count), abs=0.5)


def test_smog_of_fewer_sentences_counts_them_as_thirty() -> None:
    assert smog_grade("We share information. We listen.") == pytest.approx(3.1291 + 1.0430 * math.sqrt(15))
    assert smog_grade("") is None


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "the care cared cares through nurse's 24 rhythm"),
        (2, "waited places tables careful someone quiet being prism people patient's whole-day"),
        (3, "hospital medicine involvement follow-up video actual area"),
        (4, "information community emotional"),
        (5, "continuity"),
    ],
)
def test_syllables_are_those_spoken(count: int, words: str) -> None:
    assert {word: syllables(word) for word in words.split()} == dict.fromkeys(words.split(), count)


def test_wrapped_line_goes_on_and_heading_and_item_end_with_theirs() -> None:
    text = "Your visit\n\nWe ask what you\nneed. Bring:\n- your letter\n- a friend\n"
    assert [" ".join(words) for words in sentences(text)] == [
        "Your visit",
        "We ask what you need",
        "Bring",
        "your letter",
        "a friend",
    ]
