"""How hard a text is to read that was sent to patients: Flesch and SMOG for English, LIX for Swedish.

For what an organisation writes (invitations, questions, leaflets, "you said, we did"), never for what patients
write: a formula counts lengths, and says nothing of a person or of whether a text is right.

Syllables of English are counted by spelling. Against the CMU pronouncing dictionary, on texts that the rules were not
made with, 98 % of the words agree, and Flesch comes out one point higher. Libraries were left out: those with a
dictionary fetch it from the network when they are first used or bring another licence, those without count hyphens.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

LONG_WORD_LETTERS = 6
"""A word with more letters is long."""
POLYSYLLABLE = 3
SMOG_SENTENCES = 30
"""SMOG was fitted to samples of this many sentences; of fewer it is a rough guess."""

# "1.5" and "t.ex" are one word each. "tel." before a small letter ends no sentence, nor does a line that goes on with
# one; a heading and an item of a list end with their line.
_WORD = re.compile(r"[^\W_]+(?:['\u2019.\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:]+(?=\s|$)(?!\s+[a-z\u00df-\u00ff])|\n\s*\n|\n(?!\s*[a-z\u00df-\u00ff])")

_VOWELS = re.compile(r"[aeiouy]+")
_FIRST_Y = re.compile(r"^y(?=[aeiou])")
# The e of care, whole, careful, everyone; of cares, not of places; of cared, not of waited.
_SILENT_E = re.compile(
    r"(?:(?<=[^aeiouyl])|(?<=[aeiouy]l))e(?=$|ly|ful|ment|less|ness|one|body|thing|time|where|guard)"
    r"|(?:(?<=[^aeiouylscgzxh])|(?<=[aeiouy]l))es$|(?<=[^td])ed$"
)
# Two vowels that are spoken apart (medial, period, quiet, actual, fluidity, being, video, area), and prism.
_SPOKEN_APART = re.compile(
    r"(?<![cglstx])i(?=a)|(?<![cglnstx])i(?=o)|i(?=et)|(?<![gq])u(?=a|ity|icid)|(?<=[aeiouy])(?=ing)"
    r"|(?<!g)e(?=o(?![pu]))|(?<=[aeiouy].)e(?=a$)|sms?$"
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A measure of readability, and how people read it."""

    name: str
    reading: str
    measure: Callable[[str], float | None]


def sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence; what has no word in it is no sentence."""
    composed = unicodedata.normalize("NFC", text)
    return [words for part in _SENTENCE_END.split(composed) if (words := _WORD.findall(part))]


def lix(text: str) -> float | None:
    """Return the LIX of a text (Björnsson 1968), None where it has no words.

    Words per sentence plus the percentage of long words. A number is a word without letters.
    """
    words, count = _words(text)
    if not words:
        return None
    long_count = sum(sum(map(str.isalpha, word)) > LONG_WORD_LETTERS for word in words)
    return len(words) / count + 100 * long_count / len(words)


def flesch_reading_ease(text: str) -> float | None:
    """Return how easy an English text is to read (Flesch 1948), None where it has no words."""
    words, count = _words(text)
    if not words:
        return None
    return 206.835 - 1.015 * len(words) / count - 84.6 * sum(map(syllables, words)) / len(words)


def smog_grade(text: str) -> float | None:
    """Return the years of American school that an English text asks for (McLaughlin 1969), None where it has no words."""
    words, count = _words(text)
    if not words:
        return None
    polysyllables = sum(syllables(word) >= POLYSYLLABLE for word in words)
    return 3.1291 + 1.0430 * math.sqrt(SMOG_SENTENCES * polysyllables / count)


def syllables(word: str) -> int:
    """Return how many syllables an English word has, by its spelling; a number counts as one."""
    parts = re.split(r"[^a-z]+", word.lower().replace("\u2019", "'").removesuffix("'s"))
    return max(sum(map(_syllables_of_part, filter(None, parts))), 1)


def _syllables_of_part(part: str) -> int:
    spoken = _SILENT_E.sub("", _FIRST_Y.sub("j", part))
    return max(len(_VOWELS.findall(spoken)) + len(_SPOKEN_APART.findall(spoken)), 1)


def _words(text: str) -> tuple[list[str], int]:
    """Return all words, and the number of sentences."""
    found = sentences(text)
    return [word for sentence in found for word in sentence], len(found)


FORMULAS = {
    "en": (
        Formula(
            "Flesch reading ease", "60 or more is plain English, under 30 very hard", flesch_reading_ease
        ),
        Formula("SMOG grade", "years of school; 6 to 8 is asked of texts for patients", smog_grade),
    ),
    "sv": (Formula("LIX", "under 40 is easy, 40 to 50 medium, above 60 very hard", lix),),
}
"""What is measured in which language."""
