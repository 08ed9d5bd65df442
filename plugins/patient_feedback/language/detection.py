"""Which language a comment is written in; a stated default, or no answer, where it is too short to tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lingua import LanguageDetector

RULES_VERSION = "2"
DETECTOR_VERSION = f"lingua-{version('lingua-language-detector')}+rules{RULES_VERSION}"

DETECTABLE_LANGUAGES = frozenset(
    "ar bn bs cs cy de el en es fa fi fr gu hi hu it lt nl pa pl pt ro ru so sq sv tr uk ur vi yo zh".split()  # noqa: SIM905
)
"""ISO 639-1 codes told apart: English, Swedish, and the languages most spoken by patients beside them."""

MINIMUM_LETTERS = 12
"""A text in an alphabet that several languages share needs this many letters to speak for itself."""
MINIMUM_LETTERS_OWN_SCRIPT = 6
"""Enough letters where the script itself (Arabic, Bengali, Cyrillic, ...) already narrows the choice."""
MINIMUM_CONFIDENCE = 0.75
MINIMUM_CONFIDENCE_AGAINST_DEFAULT = 0.85
"""To overrule the language that the source declares, detection has to be this sure."""
MINIMUM_LETTERS_AGAINST_DEFAULT = 15
MINIMUM_QUICK_CONFIDENCE = 0.85
"""A quick reading this sure of the language that the source declares needs no thorough one.

On 5,230 real comments and 49 sentences in 20 other languages, quick readings from 0.75 up never
agreed with the declared language where the thorough reading overruled it.
"""
READ_CHARACTERS = 2_000
"""A longer text is judged by its beginning."""

REDACTION_MARK = re.compile(r"\[[A-Z][A-Z_]*\]")
NOT_LANGUAGE = re.compile(r"https?://\S+|\S+@\S+|[\d\s!-/:-@\[-`{-~]+")
SHARED_SCRIPT = re.compile(r"[A-Za-z\u00c0-\u024f]")

Basis = Literal["detected", "declared", "undetermined"]


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    language_code: str | None
    """ISO 639-1; None where the text does not tell and no default is declared."""
    confidence: float | None
    """0..1 as detection gives it for `language_code`; None where detection did not decide."""
    basis: Basis


def detect_languages(texts: Sequence[str], default_languages: Sequence[str | None]) -> list[DetectedLanguage]:
    """Return the language of each text, in order.

    `default_languages` holds, for each text, the language that its source declares, or None. Marks
    such as [PERSON], addresses of the web, numbers and signs are left out of the judgement. A text
    that is too short or reads too much like several languages takes its default (`declared`), or
    none (`undetermined`). Raises ValueError where the two sequences differ in length.
    """
    if len(texts) != len(default_languages):
        raise ValueError(
            f"{len(texts)} texts come with {len(default_languages)} default languages: give one for each."
        )
    letters = [_letters(text) for text in texts]
    asked = [i for i, text in enumerate(letters) if _is_long_enough(text)]
    readings = _read(letters, [i for i in asked if default_languages[i]], is_thorough=False)
    settled = {
        i
        for i, (code, confidence) in readings.items()
        if code == default_languages[i] and confidence >= MINIMUM_QUICK_CONFIDENCE
    }
    readings |= _read(letters, [i for i in asked if i not in settled], is_thorough=True)
    detected: list[DetectedLanguage] = []
    for i, default in enumerate(default_languages):
        if i in readings and _is_trusted(letters[i], *readings[i], default):
            detected.append(DetectedLanguage(*readings[i], "detected"))
        else:
            detected.append(DetectedLanguage(default, None, "declared" if default else "undetermined"))
    return detected


def _read(letters: Sequence[str], asked: Sequence[int], *, is_thorough: bool) -> dict[int, tuple[str, float]]:
    """Return the likeliest language of each asked text and its confidence."""
    if not asked:
        return {}
    found = _detector(is_thorough).compute_language_confidence_values_in_parallel([letters[i] for i in asked])
    return {
        i: (values[0].language.iso_code_639_1.name.lower(), values[0].value)
        for i, values in zip(asked, found, strict=True)
        if values
    }


def _letters(text: str) -> str:
    return NOT_LANGUAGE.sub(" ", REDACTION_MARK.sub(" ", text[:READ_CHARACTERS])).strip()


def _letter_count(text: str) -> int:
    return len(text.replace(" ", ""))


def _is_in_shared_script(text: str) -> bool:
    return 2 * len(SHARED_SCRIPT.findall(text)) >= _letter_count(text)


def _is_long_enough(text: str) -> bool:
    minimum = MINIMUM_LETTERS if _is_in_shared_script(text) else MINIMUM_LETTERS_OWN_SCRIPT
    return _letter_count(text) >= minimum


def _is_trusted(text: str, code: str, confidence: float, default: str | None) -> bool:
    if default is None or code == default or not _is_in_shared_script(text):
        return confidence >= MINIMUM_CONFIDENCE
    return (
        confidence >= MINIMUM_CONFIDENCE_AGAINST_DEFAULT
        and _letter_count(text) >= MINIMUM_LETTERS_AGAINST_DEFAULT
    )


@lru_cache
def _detector(is_thorough: bool) -> LanguageDetector:
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code.upper()) for code in sorted(DETECTABLE_LANGUAGES)]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    return (builder if is_thorough else builder.with_low_accuracy_mode()).build()
