"""Pseudonyms: stable with their key, worthless without it."""

from __future__ import annotations

import hashlib

import pytest

from patient_feedback.errors import FeedbackError
from patient_feedback.privacy.pseudonyms import pseudonymise

KEY = b"0123456789abcdef-test-key"


def test_same_reference_source_and_key_give_the_same_pseudonym() -> None:
    assert pseudonymise("R-17", "nhs_fft", KEY) == pseudonymise("R-17", "nhs_fft", KEY)


def test_pseudonym_is_32_hex_digits_whatever_the_reference() -> None:
    for reference in ("", "R-17", "å" * 5_000, "\ud800"):
        assert set(pseudonymise(reference, "nhs_fft", KEY)) <= set("0123456789abcdef")
        assert len(pseudonymise(reference, "nhs_fft", KEY)) == 32


def test_other_key_other_source_or_other_reference_gives_another_pseudonym() -> None:
    given = pseudonymise("R-17", "nhs_fft", KEY)
    others = {
        pseudonymise("R-17", "nhs_fft", KEY + b"2"),
        pseudonymise("R-17", "complaints", KEY),
        pseudonymise("R-18", "nhs_fft", KEY),
    }
    assert given not in others
    assert len(others) == 3


def test_part_of_the_source_moved_into_the_reference_gives_another_pseudonym() -> None:
    assert pseudonymise("b", "a", KEY) != pseudonymise("", "ab", KEY)


def test_pseudonym_cannot_be_had_by_hashing_without_the_key() -> None:
    guesses = {
        hashlib.sha256(text).hexdigest()[:32] for text in (b"R-17", b"nhs_fft\x1fR-17", b"nhs_fftR-17")
    }
    assert pseudonymise("R-17", "nhs_fft", KEY) not in guesses


def test_short_key_is_refused_with_what_to_do() -> None:
    with pytest.raises(FeedbackError, match=r"5 bytes; it needs 16.*FEEDBACK_SECRET_PSEUDONYM_KEY"):
        pseudonymise("R-17", "nhs_fft", b"short")
