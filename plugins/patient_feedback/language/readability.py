"""How hard a text is to read: LIX, for letters and leaflets in Swedish.

LIX (Björnsson 1968) is the mean length of sentences in words plus the share of long words in percent. Under 30 is
very easy, 40 to 50 medium, above 60 very hard. Flesch and SMOG for English are not here: they count syllables, and
textstat fetches its dictionary of them from the network when it is first used.
"""

from __future__ import annotations

import re
import unicodedata

LONG_WORD_LETTERS = 6
"""A word with more letters is long."""
# "1.5" and "t.ex" are one word each; "tel." before a small letter ends no sentence, a heading ends with its line.
_WORD = re.compile(r"[^\W_]+(?:['\u2019.\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:]+(?=\s|$)(?!\s+[a-z\u00df-\u00ff])|\n+")


def lix(text: str) -> float | None:
    """Return the LIX of a text, None where it has no words.

    A number is a word without letters. What has no word in it is no sentence.
    """
    composed = unicodedata.normalize("NFC", text)
    sentences = [words for part in _SENTENCE_END.split(composed) if (words := _WORD.findall(part))]
    count = sum(map(len, sentences))
    if not count:
        return None
    long_count = sum(_letters(word) > LONG_WORD_LETTERS for words in sentences for word in words)
    return count / len(sentences) + 100 * long_count / count


def _letters(word: str) -> int:
    return sum(map(str.isalpha, word))
