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

RULES_VERSION = "1"
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
    letters = [_letters(text) for text in texts]
    asked = [i for i, text in enumerate(letters) if _is_long_enough(text)]
    readings = _detector().compute_language_confidence_values_in_parallel([letters[i] for i in asked])
    best = {i: values[0] for i, values in zip(asked, readings, strict=True) if values}
    detected: list[DetectedLanguage] = []
    for i, default in zip(range(len(texts)), default_languages, strict=True):
        if i in best:
            code = best[i].language.iso_code_639_1.name.lower()
            if _is_trusted(letters[i], code, best[i].value, default):
                detected.append(DetectedLanguage(code, best[i].value, "detected"))
                continue
        detected.append(DetectedLanguage(default, None, "declared" if default else "undetermined"))
    return detected


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
def _detector() -> LanguageDetector:
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code.upper()) for code in sorted(DETECTABLE_LANGUAGES)]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()
