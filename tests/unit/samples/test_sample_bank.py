"""The comment bank: enough and distinct, as long as promised, with identifiers that belong to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from sample_sources.bank import Bank, Entry, load_bank
from sample_sources.friends_and_family import SERVICES
from sample_sources.questionnaire import SERVICES as SWEDISH_SERVICES

HIGHEST_SIMILARITY = 0.8
FICTIONAL_PHONES = (
    r"07700900\d{3}", r"447700900\d{3}", r"01632960\d{3}", r"02079460\d{3}", r"01134960\d{3}",
    r"01614960\d{3}", r"0701740(?:60[5-9]|6[1-9]\d)", r"08465004\d{2}", r"0313900[6]\d{2}",
)  # fmt: skip


@pytest.fixture(scope="module")
def bank(project_dir: Path) -> Bank:
    return load_bank(project_dir / "samples" / "bank")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _identifiers(bank: Bank, entity: str) -> Iterator[str]:
    for entry in bank.entries():
        yield from entry.identifiers.get(entity, ())


def test_bank_has_the_promised_number_of_comments(bank: Bank) -> None:
    english = {entry.text for entry in bank.fft + bank.survey_en + bank.complaints}
    assert len(english) >= 800
    assert len({entry.text for entry in bank.survey_sv}) >= 120


def test_no_comment_is_a_variant_of_another(bank: Bank) -> None:
    texts = [(_words(entry.text), entry.text) for entry in bank.entries()]
    alike = [
        (one, other)
        for (a, one), (b, other) in combinations(texts, 2)
        if len(a & b) >= HIGHEST_SIMILARITY * len(a | b)
    ]
    assert alike == []


def test_what_people_write_over_and_over_is_kept_apart(bank: Bank) -> None:
    repeated = {text.strip().lower() for texts in bank.repeated.values() for text in texts}
    assert [entry.text for entry in bank.entries() if entry.text.lower() in repeated] == []


def test_complaints_have_30_to_200_words_subjects_and_a_severity(bank: Bank) -> None:
    assert len(bank.complaints) >= 120
    for entry in bank.complaints:
        assert 30 <= len(entry.text.split()) <= 200, entry.text
        assert entry.severity in {"Low", "Moderate", "High"}, entry.text
        assert min(len(entry.subjects), len(entry.services)) >= 1, entry.text
    assert sum(len(entry.subjects) > 1 for entry in bank.complaints) >= 60


def test_comments_range_from_one_word_to_a_page(bank: Bank) -> None:
    lengths = sorted(len(entry.text.split()) for entry in bank.fft)
    assert lengths[0] == 1
    assert lengths[-1] >= 80
    assert 4 <= lengths[len(lengths) // 2] <= 14


def test_every_service_of_a_hint_exists(bank: Bank) -> None:
    for entries, services in (
        (bank.fft + bank.complaints, set(SERVICES)),
        (bank.survey_sv + bank.survey_en, set(SWEDISH_SERVICES)),
    ):
        assert [entry.text for entry in entries if not set(entry.services) <= services] == []


def test_identifiers_stand_in_at_least_forty_comments_as_listed(bank: Bank) -> None:
    holding: list[Entry] = [entry for entry in bank.entries() if entry.identifiers]
    assert len(holding) >= 40
    for entry in holding:
        for value in (value for values in entry.identifiers.values() for value in values):
            assert value in entry.text


def test_nhs_numbers_are_of_the_unused_range_with_a_valid_check_digit(bank: Bank) -> None:
    numbers = [re.sub(r"\D", "", value) for value in _identifiers(bank, "NHS_NUMBER")]
    assert len(numbers) >= 4
    for number in numbers:
        assert number.startswith("999")
        assert len(number) == 10
        remainder = (
            sum(int(digit) * weight for digit, weight in zip(number, range(10, 1, -1), strict=False)) % 11
        )
        assert int(number[-1]) == (11 - remainder) % 11


def test_swedish_personal_numbers_are_of_the_test_series_with_a_valid_check_digit(bank: Bank) -> None:
    numbers = [re.sub(r"\D", "", value)[-10:] for value in _identifiers(bank, "SWEDISH_PERSONAL_NUMBER")]
    assert len(numbers) >= 4
    for number in numbers:
        assert number[6:9] in {"238", "239", "980", "981"}
        doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(number)]
        assert sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def test_telephone_numbers_and_addresses_belong_to_nobody(bank: Bank) -> None:
    for phone in _identifiers(bank, "PHONE"):
        digits = re.sub(r"\D", "", phone)
        assert any(re.fullmatch(series, digits) for series in FICTIONAL_PHONES), phone
    for address in _identifiers(bank, "EMAIL"):
        assert address.endswith("@example.org")
    for url in _identifiers(bank, "URL"):
        assert "example.org" in url
