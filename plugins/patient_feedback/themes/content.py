"""Which words of a comment carry its subject, and which comments carry none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from patient_feedback.words import REDACTION_MARK, WORD

CLAUSE_END = re.compile(r"\[[^\[\]\n]{1,40}\]|[.,;:!?()\n\r/]+")
"""Marks in brackets too, whoever made them: [PERSON], [word unreadable]."""

CAPITALS = re.compile(r"\b[A-Z]{2,6}\b")
SHORT_SUBJECTS = frozenset({"gp", "tv"})
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
GENERAL_WORDS = {
    "en": """
    able actually also always ask asked bit came come day definitely didnt don don't dont especially etc
    feel felt gave get gets getting give given go going gone got he's i'd i'll i'm i've im it's ive just
    know let like lot lots made make makes making maybe mum need needed one's people quite really said say
    saying says seen sent sure take takes taken taking tell thank thanks that's thing things think thought
    time told took try trying use used want wanted wasnt way went whilst
    """,
    "sv": """
    alltid bara bli blir blivit blev borde fick får gick går gjorde gjort gör helt hos igen ju kanske kom lite
    många mer mig mycket måste nog också så sen tack tog tyckte tycker veta vid även är
    """,
}
"""Words that say little about any theme, beyond the stop lists, for each language (ISO 639-1)."""
VERDICT_WORDS = {
    "en": """
    absolutely amazing appreciated awesome bad best better brilliant class complaint complaints efficient
    everything excellent exceptional expected experience extremely fab fabulous fantastic fault faults fine
    first-class good great happy highly honest honestly impressed improve improved improvement incredible job
    lovely nice nothing outstanding overall perfect perfection pleased poor problem problems recommend
    satisfactory satisfied service services spot superb terrible thoroughly top truth true well wonderful work
    """,
    "sv": """
    allting bra bäst bästa bättre dålig dåligt fantastisk fantastiskt fin fint förbättra förbättras ingenting
    jättebra kanon mycket nöjd nöjda perfekt problem suverän suveränt tacksam toppen underbar underbart
    utmärkt utmärkta
    """,
}
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
    # Most texts are settled by their first words: this is asked of every text of a pass.
    for count, match in enumerate(WORD.finditer(_unmarked(text)), start=1):
        word = match[0].lower()
        if "\u2019" in word:
            word = word.replace("\u2019", "'")
        if count > CONTENTLESS_LIMIT or word not in CONTENTLESS_WORDS:
            return False
    return True


def content_phrases(text: str, languages: tuple[str, ...]) -> set[str]:
    """Return the content words of a redacted text, and the pairs and threes of them that stand side by side.

    `languages` (ISO 639-1) says whose stop words are left out. Marks such as [PERSON], numbers and
    contractions are never part of a phrase.
    """
    stop = _stop_words(languages)
    phrases: set[str] = set()
    for clause in CLAUSE_END.split(text.lower().replace("\u2019", "'")):
        run: list[str] = []
        for word in WORD.findall(clause):
            if word in stop or "'" in word or (len(word) < 3 and word not in SHORT_SUBJECTS):
                run = []
                continue
            phrases.add(word)
            run = [*run[-2:], word]
            if len(run) > 1 and run[-2] != word:
                phrases.add(f"{run[-2]} {word}")
                if len(run) > 2 and run[-3] not in run[-2:]:
                    phrases.add(" ".join(run))
    return phrases


def capitalised_words(texts: Iterable[str]) -> Counter[str]:
    """Return in how many texts each word (lower case) stands in capitals, such as "gp"; shouted texts aside."""
    counted: Counter[str] = Counter()
    for text in texts:
        if not text.isupper():
            counted.update({word.lower() for word in CAPITALS.findall(_unmarked(text))})
    return counted


def _unmarked(text: str) -> str:
    return REDACTION_MARK.sub(" ", text) if "[" in text else text


@lru_cache
def verdict_stems(languages: tuple[str, ...]) -> frozenset[str]:
    """Return the stems of the words that praise or blame without saying what, in these languages."""
    return frozenset(stem(word) for one in languages for word in VERDICT_WORDS.get(one, "").split())


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return a crude stem that only serves to see that "wait", "waits" and "waiting" are one subject."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            root = word[: -len(suffix)]
            return root[:-1] if root[-1] == root[-2] and root[-1] not in "sfl" else root
    return word


@lru_cache
def _stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    """Return the words that are kept out of names; spaCy's stop words for any language that it knows."""
    listed: set[str] = set()
    for language in languages:
        listed.update(GENERAL_WORDS.get(language, "").split())
        listed |= _spacy_stop_words(language)
    return frozenset(word.replace("\u2019", "'") for word in listed) - SUBJECT_WORDS


def _spacy_stop_words(language: str) -> set[str]:
    # The list alone is read: importing spaCy takes seconds.
    package = find_spec("spacy")
    if package is None or package.origin is None:
        return set()
    path = Path(package.origin).parent / "lang" / language / "stop_words.py"
    return set(run_path(str(path))["STOP_WORDS"]) if path.is_file() else set()
