"""Which words of a comment carry its subject, and which comments carry none."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module

from patient_feedback.words import words

CLAUSE_END = re.compile(r"[.,;:!?()\n\r/]+|\[[A-Z][A-Z_]*\]")

CONTENTLESS_WORDS = frozenset(
    """
    a absolutely add all any anything applicable apply applies as at aware blank can cannot can't cant cause
    comment comments could couldn't did didn't do don't dont else everything far for further have i idea idk
    in inapplicable is it just know like me mind moment my n na n/a needed nil no none nope not nothing now
    of ok okay on one opinion other personally please point present really same say see so springs such sure
    suggest suggestions than that the there thing things think this time to unsure us was we what whatsoever
    would x yeah yep yes you allt alls att det finns har i inga ingen ingenting inget ja jag kan kommentar
    kommer nej och om som vet vill ej inte är
    """.split()  # noqa: SIM905 (a word list reads better)
)
"""Words that answer without naming a subject, English and Swedish: "Nothing", "not that I can think of"."""
CONTENTLESS_LIMIT = 12
"""A longer text is taken to have a subject whatever its words."""

SUBJECT_WORDS = frozenset({"call", "everything", "front", "nothing", "part", "serious", "side", "system"})
"""Words on the stop lists that name a subject in feedback."""
GENERAL_WORDS = frozenset(
    """
    able actually also always ask asked bit came come day definitely didnt don don't dont especially etc
    feel felt gave get gets getting give given go going gone got he's i'd i'll i'm i've im it's ive just
    know let like lot lots made make makes making maybe mum need needed one's people quite really said say
    saying says seen sent sure take takes taken taking tell thank thanks that's thing things think thought
    time told took try trying use used want wanted wasnt way went whilst
    """.split()  # noqa: SIM905 (a word list reads better)
)
"""Words that say little about any theme, beyond the stop lists."""
VERDICT_WORDS = frozenset(
    """
    absolutely amazing best better brilliant class complaint complaints efficient everything excellent expected
    experience fantastic fault faults fine good great happy honest honestly improve improved improvement job
    lovely nice nothing overall perfect perfection pleased problem problems satisfactory satisfied service
    services spot superb true truth work wonderful
    """.split()  # noqa: SIM905
)
"""Words that praise, blame or wave aside without saying what: a theme that has no others is about no one subject."""

SUFFIXES = (
    "ingly",
    "fully",
    "ings",
    "ness",
    "ies",
    "ers",
    "ing",
    "ful",
    "ed",
    "ly",
    "es",
    "er",
    "s",
    "y",
    "e",
)


def is_contentless(text: str) -> bool:
    """Return whether a redacted text names no subject: blank, marks only, or such as "Nothing."."""
    listed = words(text)
    return len(listed) <= CONTENTLESS_LIMIT and all(word in CONTENTLESS_WORDS for word in listed)


def content_phrases(text: str, languages: tuple[str, ...]) -> set[str]:
    """Return the content words of a redacted text and the pairs of them that stand side by side.

    `languages` (ISO 639-1) says whose stop words are left out. Marks such as [PERSON], numbers and
    contractions are never part of a phrase.
    """
    stop = _stop_words(languages)
    phrases: set[str] = set()
    for clause in CLAUSE_END.split(text):
        previous = None
        for word in words(clause):
            if word in stop or "'" in word or len(word) < 3:
                previous = None
                continue
            phrases.add(word)
            if previous is not None and previous != word:
                phrases.add(f"{previous} {word}")
            previous = word
    return phrases


def stem(word: str) -> str:
    """Return a crude stem that only serves to see that "wait", "waits" and "waiting" are one subject."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            root = word[: -len(suffix)]
            return root[:-1] if root[-1] == root[-2] and root[-1] not in "sfl" else root
    return word


@lru_cache
def _stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    listed: set[str] = set(GENERAL_WORDS)
    for language in languages:
        listed |= import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS
    return frozenset(word.replace("\u2019", "'") for word in listed) - SUBJECT_WORDS
