"""Names of people: after titles and roles, after words that announce a name, from a list, and from a model.

No rule reads a sentence: a name is found by what stands around it, by being a known given name, or by the
named entities of a model, judged here because models take many capitals in short comments for names.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import regex

from patient_feedback.privacy import names_context as context
from patient_feedback.privacy.entities import Entity, Finding
from patient_feedback.privacy.lexicon import Lexicon

LONGEST_NAME = 4
"""Words in a name; more in a row with capitals is a heading or shouting."""

_WORD = regex.compile(r"[^\W\d_]++(?:['’-][^\W\d_]++)*+")
# Genitives of short names that are words: "Marks", "Toms".
_GENITIVE_TRAPS = frozenset(
    ("marks", "bills", "pats", "toms", "hugs", "dans", "jans", "mays", "joys", "roses", "rays")
)
_BLANKS = (" ", "  ", "\xa0")


class _Word(NamedTuple):
    text: str
    start: int
    end: int

    @property
    def is_capitalised(self) -> bool:
        return self.text[0].isupper()

    @property
    def is_shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_initial(self) -> bool:
        return len(self.text) == 1 and self.text.isupper()


class NameFinder:
    """Finds names by rules, and judges the names that a model found."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def find(self, text: str) -> Iterator[Finding]:
        """Yield the names that the rules find, in the order of their place; they do not overlap."""
        words = _words(text)
        starts = {word.start: index for index, word in enumerate(words)}
        announced = {
            match.end() for pattern in context.ANNOUNCERS for match in pattern.finditer(text, overlapped=True)
        }
        index = 0
        while index < len(words):
            count = self._name_at(text, words, index, announced)
            if count == 0:
                index += 1
                continue
            last = words[index + count - 1]
            yield Finding(Entity.PERSON, words[index].start, _name_end(last), 0.8)
            index += count
            # "Sarah, Tom and Dave": what is joined to a name with a capital is a name as well.
            while joined := context.JOINED.match(text, last.end):
                follower = starts.get(joined.end())
                if follower is None or not self._is_joined_name(words[follower]):
                    break
                count = self._length(text, words, follower)
                last = words[follower + count - 1]
                yield Finding(Entity.PERSON, words[follower].start, _name_end(last), 0.75)
                index = follower + count

    def judge(self, text: str, start: int, end: int) -> Finding | None:
        """Return what of a model's name at `text[start:end]` is a name, or None."""
        words = [word for word in _words(text[start:end]) if word.text[0].isalpha()]
        words = [_Word(word.text, word.start + start, word.end + start) for word in words]
        while words and (words[0].text.lower() in context.TITLES or not self._may_be_name(words[0])):
            words = words[1:]
        while words and not self._may_be_name(words[-1]):
            words = words[:-1]
        if not words or len(words) > LONGEST_NAME or "\n" in text[words[0].start : words[-1].end]:
            return None
        known = any(
            self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text) for word in words
        )
        first, last = words[0], words[-1]
        if (
            context.PLACE_FOLLOWS.match(text, last.end)
            or last.text.lower() in context.PLACE_NOUNS
            or self._is_namesake(text, first, last)
        ):
            return None
        if len(words) == 1 and first.is_shouted and self._lexicon.is_word_too(first.text):
            return None
        if not known:
            if any(word.is_shouted for word in words):
                return None
            if len(words) == 1 and (
                self._lexicon.is_in_dictionary(first.text)
                or context.PLACE_BEFORE.search(text[max(0, first.start - 12) : first.start])
            ):
                return None
            if any(self._lexicon.is_plain(word.text) for word in words):
                return None
        return Finding(Entity.PERSON, first.start, _name_end(last), 0.7)

    def may_hold_names(self, text: str) -> bool:
        """Say whether a model could find a name that `judge` accepts; most comments hold no such word."""
        return any(self._may_be_name(word) for word in _words(text))

    def _may_be_name(self, word: _Word) -> bool:
        if not word.is_capitalised or word.is_initial:
            return False
        if self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text):
            return not self._lexicon.is_plain(word.text)
        return len(word.text) > 2 and not self._lexicon.is_ordinary(word.text)

    def _is_namesake(self, text: str, first: _Word, last: _Word) -> bool:
        """Say whether these words name a place after somebody."""
        before = text[max(0, first.start - 16) : first.start].lower().split()
        return (bool(before) and before[-1].rstrip(".") in context.NAMESAKES) or text[
            first.start : last.end
        ].lower() in context.PLACES_LIKE_NAMES

    def _name_at(self, text: str, words: list[_Word], index: int, announced: set[int]) -> int:
        """Return how many words from `index` on are a name: 0 for none."""
        word, previous = words[index], words[index - 1] if index else None
        if previous is not None and not _is_near(text, previous, word):
            previous = None
        before = previous.text.lower() if previous else ""
        if before in context.TITLES:
            if particles := self._particles_at(text, words, index):
                return particles + self._length(text, words, index + particles)
            if self._follows_title(previous, word):
                return self._length(text, words, index)
        strict = self._is_unusual(word)
        if strict and (before in context.ROLES or word.start in announced):
            return self._length(text, words, index)
        if (
            strict
            and before in context.KIN
            and index > 1
            and words[index - 2].text.lower() in context.POSSESSIVES
        ):
            return self._length(text, words, index)
        is_introduced = context.INTRODUCED.search(text[max(0, word.start - 20) : word.start]) is not None
        is_name_like = word.is_capitalised and not word.is_shouted and not word.is_initial
        if is_introduced and is_name_like and not self._lexicon.is_plain(word.text):
            return self._length(text, words, index)
        if self._is_known_given_name(text, words, index):
            return self._length(text, words, index)
        if strict and self._is_unknown_name(text, words, index):
            return self._length(text, words, index)
        return 0

    def _is_unknown_name(self, text: str, words: list[_Word], index: int) -> bool:
        """Say whether a word no list holds is a name: praised as people are, or one of two with capitals."""
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        before = text[max(0, word.start - 12) : word.start]
        if (
            word.is_shouted
            or context.PLACE_BEFORE.search(before)
            or context.PLACE_FOLLOWS.match(text, word.end)
            or self._is_namesake(text, word, word)
        ):
            return False
        if context.PRAISE_FOLLOWS.match(text, word.end):
            return len(word.text) > 2 and not word.text.lower().endswith(context.SWEDISH_DEFINITE_ENDINGS)
        if (
            following is None
            or following.is_shouted
            or not self._is_unusual(following)
            or not _is_near(text, word, following)
        ):
            return False
        if context.PLACE_FOLLOWS.match(text, following.end) or following.text.lower() in context.PLACE_NOUNS:
            return False
        return not self._is_namesake(text, word, following)

    def _particles_at(self, text: str, words: list[_Word], index: int) -> int:
        """Return how many particles open the name at `index`: 2 for "van der Merwe", 0 for no name."""
        for count, word in enumerate(words[index : index + 3]):
            if count and not _is_near(text, words[index + count - 1], word):
                return 0
            if word.text.lower() not in context.PARTICLES or word.is_shouted:
                return count if word.is_capitalised and not self._lexicon.is_plain(word.text) else 0
        return 0

    def _follows_title(self, title: _Word | None, word: _Word) -> bool:
        assert title is not None
        is_surname = self._lexicon.is_surname(word.text) and word.is_capitalised and title.is_capitalised
        if (
            self._lexicon.is_plain(word.text)
            and not self._lexicon.is_given_name(word.text)
            and not is_surname
        ):
            return False
        known = self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text)
        if (
            title.text.lower() in ("miss", "fru", "herr", "doctor", "doktor", "mr")
            and not title.is_capitalised
            and not known
        ):
            return word.is_capitalised and not self._lexicon.is_in_dictionary(word.text)
        if word.is_capitalised and not word.is_shouted:
            return True
        if word.is_shouted:
            return known or not self._lexicon.is_ordinary(word.text)
        if known:
            return not self._lexicon.is_word_too(word.text)
        return len(word.text) > 2 and not self._lexicon.is_in_dictionary(word.text)

    def _is_unusual(self, word: _Word) -> bool:
        """Say whether a word with a capital names somebody where a name is awaited."""
        if not word.is_capitalised or word.is_initial or len(word.text) < 2:
            return False
        if self._lexicon.is_given_name(word.text):
            return not word.is_shouted or not self._lexicon.is_word_too(word.text)
        if self._lexicon.is_surname(word.text):
            return not word.is_shouted and not self._lexicon.is_plain(word.text)
        return len(word.text) > 2 and not self._lexicon.is_in_dictionary(word.text)

    def _is_joined_name(self, word: _Word) -> bool:
        return not word.is_shouted and self._is_unusual(word)

    def _is_known_given_name(self, text: str, words: list[_Word], index: int) -> bool:
        word = words[index]
        if not self._lexicon.is_given_name(word.text):
            return False
        following = words[index + 1] if index + 1 < len(words) else None
        if following and not (
            _is_near(text, word, following) and following.is_capitalised and word.is_capitalised
        ):
            following = None
        if self._is_namesake(text, word, following or word) or self._is_namesake(text, word, word):
            return False
        if following and self._lexicon.is_surname(following.text) and not word.is_shouted:
            return not context.PLACE_FOLLOWS.match(text, following.end)
        if self._lexicon.is_plain(word.text):
            return False
        if context.PLACE_FOLLOWS.match(text, word.end):
            return False
        if following and context.PLACE_FOLLOWS.match(text, following.end):
            return False  # "James Cook Hospital"
        if context.WHEREABOUTS.search(text[max(0, word.start - 8) : word.start]) and not word.text.endswith(
            ("'s", "’s")
        ):
            return False  # "at Stanley"
        is_word_too = self._lexicon.is_word_too(word.text)
        if not is_word_too and word.text.lower() not in _GENITIVE_TRAPS:
            return word.is_capitalised or len(word.text) > 3
        if not word.is_capitalised or word.is_shouted:
            return False
        if following and self._is_unusual(following) and not self._lexicon.is_ordinary(word.text):
            return True
        if context.SENTENCE_START.search(text[max(0, word.start - 6) : word.start]):
            return (
                not self._lexicon.is_ordinary(word.text)
                and context.SUBJECT_FOLLOWS.match(text, word.end) is not None
            )
        return not self._lexicon.is_ordinary(word.text) and not context.PLACE_BEFORE.search(
            text[max(0, word.start - 12) : word.start]
        )

    def _length(self, text: str, words: list[_Word], index: int) -> int:
        """Return how many words the name that begins at `index` has."""
        count, is_lower = 1, not words[index].is_capitalised
        for current, following in pairwise(words[index : index + LONGEST_NAME + 1]):
            if not _is_near(text, current, following) or current.text.endswith(("'s", "’s")):
                break
            if following.text.lower() in context.PARTICLES and not following.is_shouted and not is_lower:
                after = words[index + count + 1] if index + count + 1 < len(words) else None
                if after is None or not after.is_capitalised or not _is_near(text, following, after):
                    break
            elif not self._continues(following, is_lower):
                break
            count += 1
            if count == LONGEST_NAME:
                break
        return count

    def _continues(self, word: _Word, is_lower: bool) -> bool:
        if self._lexicon.is_surname(word.text):
            return is_lower or word.is_capitalised
        if not word.is_capitalised:
            return False
        if word.is_initial:
            return word.text not in ("I", "A")
        if word.is_shouted:
            return not self._lexicon.is_in_dictionary(word.text)
        return not self._lexicon.is_plain(word.text)


def _words(text: str) -> list[_Word]:
    return [_Word(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _is_near(text: str, first: _Word, second: _Word) -> bool:
    """Say whether only a blank is between two words, or the full stop of an initial or a title."""
    gap = text[first.end : second.start]
    is_abbreviation = first.is_initial or first.text.lower() in context.TITLES
    return gap in _BLANKS or (is_abbreviation and gap in (".", ". "))


def _name_end(word: _Word) -> int:
    """Leave the genitive's 's behind."""
    return word.end - (2 if word.text.endswith(("'s", "’s", "'S", "’S")) else 0)
