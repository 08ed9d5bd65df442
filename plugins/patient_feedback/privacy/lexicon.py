"""Words that tell a person's name from an ordinary word: given names, surnames, words that name nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = Path(__file__).parent / "words"


def listed(name: str) -> frozenset[str]:
    """Return the words of `words/<name>.txt`."""
    lines = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


GIVEN_NAMES = listed("given_names")
NAMES_THAT_ARE_WORDS = listed("names_that_are_words")
SURNAMES = listed("surnames")
FEEDBACK_WORDS = listed("feedback_words")
SWEDISH_WORDS = listed("swedish_words")

_SURNAME_ENDINGS = tuple(listed("surname_endings"))
_SUFFIXES = (
    *(("ies", "y"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("es", ""), ("s", ""), ("er", "")),
    *(("er", "e"), ("est", ""), ("ly", ""), ("n't", ""), ("'s", ""), ("iest", "y"), ("ier", "y")),
)


@dataclass(frozen=True)
class Lexicon:
    """Ordinary words; the dictionary words come from the language model's own tables, where it has them.

    describing: verbs, adjectives and adverbs, base forms, lower case. naming: nouns, surnames among them.
    """

    describing: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    function_words: frozenset[str] = frozenset()
    _plain: frozenset[str] = field(init=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", FEEDBACK_WORDS | SWEDISH_WORDS | self.function_words)

    @classmethod
    def of(
        cls, describing: Iterable[str] = (), naming: Iterable[str] = (), function_words: Iterable[str] = ()
    ) -> Lexicon:
        return cls(frozenset(describing), frozenset(naming), frozenset(function_words))

    def is_given_name(self, word: str) -> bool:
        lower = word.lower()
        if lower in GIVEN_NAMES:
            return True
        return (
            word[:1].isupper() and lower.endswith("s") and len(lower) > 4 and lower[:-1] in GIVEN_NAMES
        )  # "Annas"

    def is_word_too(self, word: str) -> bool:
        """Say whether a given name is also an ordinary word."""
        return word.lower() in NAMES_THAT_ARE_WORDS or self.is_plain(word)

    def is_surname(self, word: str) -> bool:
        lower = word.lower()
        return lower in SURNAMES or (len(lower) > 6 and lower.endswith(_SURNAME_ENDINGS))

    def is_plain(self, word: str) -> bool:
        """Say whether the word is one of feedback or grammar, never a name even with a capital."""
        lower = word.lower()
        return lower in self._plain or lower.removesuffix("'s") in self._plain

    def is_ordinary(self, word: str) -> bool:
        """Say whether the word is plain, or a form of a verb, adjective or adverb."""
        return self.is_plain(word) or _has_form_in(word.lower(), self.describing)

    def is_in_dictionary(self, word: str) -> bool:
        return self.is_ordinary(word) or _has_form_in(word.lower(), self.naming)


def _has_form_in(word: str, words: frozenset[str]) -> bool:
    if not words:
        return False
    if word in words:
        return True
    for suffix, ending in _SUFFIXES:
        if word.endswith(suffix) and len(word) > len(suffix) + 2:
            stem = word[: -len(suffix)] + ending
            if stem in words or (len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in words):
                return True
    return False
