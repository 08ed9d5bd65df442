from __future__ import annotations

import pytest

from patient_feedback.themes.content import content_phrases, is_contentless, stem


@pytest.mark.parametrize(
    "text",
    [
        "Nothing.",
        "nothing at all",
        "N/A",
        "No",
        "none!!",
        "-",
        "",
        "Can't think of anything",
        "[PERSON]",
        "Inget.",
    ],
)
def test_answer_without_a_subject_is_contentless(text: str) -> None:
    assert is_contentless(text)


@pytest.mark.parametrize(
    "text", ["More staff", "Nothing wrong with the food", "Parking", "Bra bemötande", "Good"]
)
def test_answer_with_a_subject_is_not_contentless(text: str) -> None:
    assert not is_contentless(text)


def test_phrases_do_not_cross_stop_words_marks_or_clauses() -> None:
    phrases = content_phrases("Waiting time, staff [PERSON] nurse and the food", ("en",))
    assert "waiting time" not in phrases  # "time" says too little beside "waiting"
    assert "staff nurse" not in phrases
    assert {"waiting", "staff", "nurse", "food"} <= phrases


def test_swedish_stop_words_are_left_out_of_swedish_names() -> None:
    assert content_phrases("personalen och maten var bra", ("sv",)) >= {"personalen", "maten"}
    assert not {"och", "var"} & content_phrases("personalen och maten var bra", ("sv",))


@pytest.mark.parametrize(
    ("one", "other"), [("waits", "waiting"), ("staff", "staffing"), ("helpful", "helpfully")]
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_marks_that_a_source_left_are_no_words() -> None:
    phrases = content_phrases("Parking [word unreadable] barrier [comment moved to Q3]", ("en",))
    assert phrases == {"parking", "barrier"}
