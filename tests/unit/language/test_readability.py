"""LIX by its published formula: words per sentence plus the percentage of words with more than six letters."""

from __future__ import annotations

import pytest

from patient_feedback.language.readability import lix


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
