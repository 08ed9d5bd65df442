"""Redaction with the real Presidio and the real model: what must go, what must stay, and at which cost."""

from __future__ import annotations

import io
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from patient_feedback.errors import FeedbackError
from patient_feedback.privacy import redaction
from patient_feedback.privacy.entities import Entity, NumberRule, Rule
from patient_feedback.privacy.redaction import PIECE_CHARACTERS, RedactedText, Redactor

CASES = Path(__file__).parents[2] / "fixtures" / "redaction_cases.yml"
MARK = re.compile(r"\{([A-Z_]+):([^{}]*)\}")
STRUCTURED = frozenset(entity.value for entity in Entity) - {"PERSON"}
LANGUAGES = ("en", "sv")


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


def test_rules_that_skip_texts_without_digits_could_find_nothing_there(cases: dict[str, Any]) -> None:
    from patient_feedback.privacy.engine import RULES

    sentences = [MARK.sub(r"\2", text) for listed in cases["with_identifiers"].values() for text in listed]
    for rule in RULES:
        if isinstance(rule, NumberRule):
            for text in sentences:
                assert rule.pattern.search(re.sub(r"\d", "x", text)) is None
                assert rule.pattern.search(re.sub(r"\d", "", text)) is None


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    return yaml.safe_load(CASES.read_text(encoding="utf-8"))


def one(redactor: Redactor, text: str, language: str = "en") -> RedactedText:
    return redactor.redact([text], language)[0]


def _marked(
    cases: dict[str, Any], redactor: Redactor, language: str
) -> Iterator[tuple[list[tuple[str, str]], RedactedText]]:
    sentences = cases["with_identifiers"][language]
    redacted = redactor.redact([MARK.sub(r"\2", sentence) for sentence in sentences], language)
    for sentence, result in zip(sentences, redacted, strict=True):
        yield MARK.findall(sentence), result


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_structured_identifier_of_the_cases_survives(
    redactor: Redactor, cases: dict[str, Any], language: str
) -> None:
    survivors = [
        (kind, value)
        for marks, result in _marked(cases, redactor, language)
        for kind, value in marks
        if kind in STRUCTURED and value in result.text
    ]
    assert survivors == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_least_nine_of_ten_names_of_the_cases_are_redacted(
    redactor: Redactor, cases: dict[str, Any], language: str
) -> None:
    survived = [
        value in result.text
        for marks, result in _marked(cases, redactor, language)
        for kind, value in marks
        if kind == "PERSON"
    ]
    assert len(survived) >= 24
    assert sum(survived) / len(survived) <= 0.1


@pytest.mark.parametrize("language", LANGUAGES)
def test_identifiers_of_the_cases_are_named_by_their_kind(
    redactor: Redactor, cases: dict[str, Any], language: str
) -> None:
    missing, surplus, expected = Counter[str](), Counter[str](), Counter[str]()
    for marks, result in _marked(cases, redactor, language):
        wanted = Counter(kind for kind, _ in marks)
        expected += wanted
        missing += wanted - Counter(result.entity_counts)
        surplus += Counter(result.entity_counts) - wanted
    assert sum(missing.values()) / sum(expected.values()) <= 0.05, missing
    assert sum(surplus.values()) / sum(expected.values()) <= 0.05, surplus


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_without_identifiers_are_left_as_they_are(
    redactor: Redactor, cases: dict[str, Any], language: str
) -> None:
    sentences = cases["without_identifiers"][language]
    altered = [
        result.text
        for text, result in zip(sentences, redactor.redact(sentences, language), strict=True)
        if result.text != text
    ]
    assert len(altered) / len(sentences) <= 0.03, altered


@pytest.mark.parametrize("language", LANGUAGES)
def test_redacting_redacted_text_changes_nothing(
    redactor: Redactor, cases: dict[str, Any], language: str
) -> None:
    once = [result.text for _, result in _marked(cases, redactor, language)]
    twice = redactor.redact(once, language)
    assert [result.text for result in twice] == once
    assert all(result.entity_counts == {} for result in twice)


def test_a_text_gives_the_same_result_alone_and_among_others(
    redactor: Redactor, cases: dict[str, Any]
) -> None:
    texts = [MARK.sub(r"\2", sentence) for sentence in cases["with_identifiers"]["en"]]
    together = redactor.redact(texts, "en")
    assert [one(redactor, text) for text in reversed(texts)] == together[::-1]


def test_equal_texts_give_equal_results_in_their_order(redactor: Redactor) -> None:
    texts = ["Dr Patel", "fine", "Dr Patel", ""]
    assert [result.text for result in redactor.redact(texts, "en")] == [
        "Dr [PERSON]",
        "fine",
        "Dr [PERSON]",
        "",
    ]


def test_no_texts_give_no_results(redactor: Redactor) -> None:
    assert redactor.redact([], "en") == []


def test_counts_say_how_many_of_each_kind_were_replaced(redactor: Redactor) -> None:
    result = one(redactor, "Ring Dr Patel or Nurse Kirsty on 01632 960456")
    assert result == RedactedText("Ring Dr [PERSON] or Nurse [PERSON] on [PHONE]", {"PERSON": 2, "PHONE": 1})


def test_identifiers_of_the_other_language_are_redacted_too(redactor: Redactor) -> None:
    assert one(redactor, "My number is 811228-9874").text == "My number is [SWEDISH_PERSONAL_NUMBER]"
    assert one(redactor, "NHS number 943 476 5919", "sv").text == "NHS number [NHS_NUMBER]"
    assert (
        one(redactor, "pisz na jan@example.org, 943 476 5919", "pl").text == "pisz na [EMAIL], [NHS_NUMBER]"
    )


def test_ten_digits_with_a_false_check_digit_are_no_nhs_number_but_go_all_the_same(
    redactor: Redactor,
) -> None:
    assert one(redactor, "I quoted 9434765918 twice").text == "I quoted [RECORD_NUMBER] twice"


def test_html_formulas_and_control_characters_around_identifiers_stay(redactor: Redactor) -> None:
    given = '=HYPERLINK("x")<b>Dr Patel</b>\x00\'; DROP TABLE comment;-- \U0001f600 jo@example.org'
    assert (
        one(redactor, given).text
        == '=HYPERLINK("x")<b>Dr [PERSON]</b>\x00\'; DROP TABLE comment;-- \U0001f600 [EMAIL]'
    )


@pytest.mark.parametrize(
    "unit",
    ["0", "1 ", "0 7", "a@", "a.", "www.", "@a.", "Dr ", "Sarah ", "A ", "A. ", "-", "12 King ",
     "born ", "ref ", "[PERSON] ", "[", "'", "\n", "Street ", "Sarah and ", "1.1.", "SE-", "名",
     "NHS number ", "gmail ", "9434765919 "],
)  # fmt: skip
def test_twenty_thousand_characters_of_anything_are_redacted(redactor: Redactor, unit: str) -> None:
    """Patterns that backtrack would run into the time limit of a rule, which is an error."""
    text = unit * (20_000 // len(unit))
    result = one(redactor, text)
    assert one(redactor, result.text).text == result.text


def test_a_text_of_a_megabyte_is_redacted_to_its_end(redactor: Redactor) -> None:
    text = "The ward was clean and the food was warm. " * 25_000 + "My NHS number is 943 476 5919."
    result = one(redactor, text, "sv")
    assert result.text.endswith("My NHS number is [NHS_NUMBER].")
    assert result.entity_counts == {"NHS_NUMBER": 1}


def test_an_identifier_at_the_cut_of_a_long_text_is_redacted(redactor: Redactor) -> None:
    for shift in range(0, 40, 3):
        filler = ("word " * PIECE_CHARACTERS)[: PIECE_CHARACTERS - 20 - shift]
        text = filler + " was late. Call 01632 960456 now. " + "word " * 100
        assert "960456" not in one(redactor, text).text


def test_an_error_inside_names_no_text(redactor: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "Margaret Thornley of 14 Station Road"

    class Broken:
        def redact_once(self, texts: list[str], language: str) -> None:
            raise ValueError(f"cannot read {texts[0]} in {language}")

    monkeypatch.setattr(redaction, "_engine", Broken)
    with pytest.raises(FeedbackError) as caught:
        redactor.redact([secret], "en")
    assert "ValueError" in str(caught.value)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "Margaret" not in str(chain)
        chain = chain.__cause__ or chain.__context__


def test_a_rule_that_runs_out_of_time_stops_instead_of_skipping(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        groupindex: dict[str, int] = {}  # noqa: RUF012

        def finditer(self, text: str, timeout: float) -> Iterator[Any]:
            raise TimeoutError(text)

    pattern: Any = Slow()
    rule = Rule(Entity.PHONE, pattern, 1.0)
    with pytest.raises(FeedbackError, match="PHONE") as caught:
        list(rule.find("Margaret"))
    assert "Margaret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_logs_and_output_hold_nothing_of_a_text(
    redactor: Redactor, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        one(redactor, "Zebedee Quillfeather rang 01632 960456 about Dr Marmaduke")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    out, err = capfd.readouterr()
    for word in ("Zebedee", "Quillfeather", "960456", "Marmaduke"):
        assert word not in stream.getvalue() + out + err


def test_several_processes_give_what_one_gives(
    redactor: Redactor, cases: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [MARK.sub(r"\2", sentence) for sentence in cases["with_identifiers"]["en"]]
    monkeypatch.setattr(redaction, "FEWEST_TEXTS_FOR_PROCESSES", 1)
    monkeypatch.setattr(redaction, "TEXTS_PER_CHUNK", 20)
    assert Redactor(processes=2).redact(texts, "en") == redactor.redact(texts, "en")


def test_no_processes_are_refused() -> None:
    with pytest.raises(FeedbackError, match="processes=0"):
        Redactor(processes=0)


@pytest.mark.skipif("NHS_FFT_CSV" not in os.environ, reason="NHS_FFT_CSV names no file of real comments")
def test_real_comments_keep_their_words(redactor: Redactor) -> None:
    """Of 5,484 distinct real comments, published without names, few hold anything to redact."""
    import csv

    with Path(os.environ["NHS_FFT_CSV"]).open(encoding="utf-8", newline="") as file:
        texts = sorted({row["FFT answer"] for row in csv.DictReader(file)})
    altered = [result for result in redactor.redact(texts, "en") if result.entity_counts]
    assert 5 <= len(altered) <= 0.01 * len(texts)
