from __future__ import annotations

import pytest

from patient_feedback.language.detection import detect_languages


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The nurse was kind and explained everything to me.", "en"),
        ("Personalen var väldigt vänlig och hjälpsam.", "sv"),
        ("Lång väntetid och ingen information", "sv"),
        ("Pielęgniarka była bardzo miła i pomocna", "pl"),
        ("Muchas gracias por la atención recibida", "es"),
        ("الممرضة كانت لطيفة جدا", "ar"),
        ("بہت اچھا عملہ تھا", "ur"),
        ("ਬਹੁਤ ਵਧੀਆ ਸੇਵਾ", "pa"),
        ("খুব ভালো", "bn"),
    ],
)
def test_written_language_is_found_whatever_the_source_declares(text: str, code: str) -> None:
    for default in ("en", "sv", None):
        detected = detect_languages([text], [default])[0]
        assert (detected.language_code, detected.basis) == (code, "detected")


@pytest.mark.parametrize("text", ["Nothing.", "ok", "", "   ", "12/03 10:30", "[PERSON] [PHONE]", "?!"])
def test_text_too_short_to_tell_takes_the_declared_language_or_none(text: str) -> None:
    declared, undetermined = detect_languages([text, text], ["sv", None])
    assert (declared.language_code, declared.basis, declared.confidence) == ("sv", "declared", None)
    assert (undetermined.language_code, undetermined.basis) == (None, "undetermined")


def test_marks_of_redaction_do_not_sway_the_language() -> None:
    text = "[PERSON] [ADDRESS] [DATE_OF_BIRTH] Läkaren lyssnade inte på mig alls [RECORD_NUMBER] [PHONE]"
    assert detect_languages([text], ["en"])[0].language_code == "sv"


def test_languages_come_in_the_order_of_the_texts() -> None:
    texts = [
        "Nothing.",
        "Personalen var väldigt vänlig och hjälpsam.",
        "The staff were very helpful, and everything was explained to me.",
    ]
    assert [d.language_code for d in detect_languages(texts, ["en", "en", "sv"])] == ["en", "sv", "en"]


def test_texts_without_their_defaults_are_refused() -> None:
    with pytest.raises(ValueError, match="2 texts come with 1 default languages"):
        detect_languages(["a", "b"], ["en"])
