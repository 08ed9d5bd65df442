"""An answer without a subject is told apart from one with a subject, by what was asked."""

from __future__ import annotations

import pytest

from patient_feedback.language.answer_kind import answer_kind, comment_reading


@pytest.mark.parametrize(
    "text", ["Nothing", "nothing at all!", "No", "Can't think of anything, sorry.", "Inget"]
)
def test_nothing_says_what_the_question_makes_of_it(text: str) -> None:
    assert answer_kind(text, "what_to_improve") == "nothing_to_improve"
    assert answer_kind(text, "what_was_good") == "nothing_was_good"
    assert answer_kind(text, "open") == "no_content"


@pytest.mark.parametrize("text", ["", "-", "...", "N/A", "No comment.", "don't know", "Vet ej"])
def test_no_answer_is_none_whatever_was_asked(text: str) -> None:
    assert {answer_kind(text, intent) for intent in ("what_to_improve", "what_was_good", "open")} == {
        "no_content"
    }


@pytest.mark.parametrize(
    "text", ["All good thanks", "Nothing, everything was perfect", "No complaints", "Allt bra!"]
)
def test_all_good_leaves_nothing_to_improve_and_is_an_answer_to_what_was_good(text: str) -> None:
    assert answer_kind(text, "what_to_improve") == "nothing_to_improve"
    if text != "Nothing, everything was perfect":
        assert answer_kind(text, "what_was_good") == "content"


@pytest.mark.parametrize(
    "text",
    [
        "Nothing was explained to me",
        "No one answered",
        "Thank you",
        "[PERSON]",
        "10/10",
        "\U0001f44d",
        "Everything",
        "Not sure the doctor listened",
        "no " * 300 + "parking",
    ],
)
def test_comment_that_speaks_of_something_is_content(text: str) -> None:
    assert answer_kind(text, "what_to_improve") == "content"


def test_mixed_comment_has_parts_on_opposite_sides() -> None:
    text = "The nurses were lovely but the food was cold"
    assert comment_reading(text, "open", [0.9, -0.6]) == "mixed"
    assert comment_reading(text, "open", [0.9, -0.2]) == "content"
    assert comment_reading("Nothing", "open", [0.9, -0.9]) == "no_content"
