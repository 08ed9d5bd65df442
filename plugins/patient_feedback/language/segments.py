"""Cuts a redacted comment into the parts that deserve a reading of their own.

"Lovely nurses but the food was cold" praises one thing and blames another. A comment is cut at the ends of
sentences, at line breaks, semicolons and dashes, before words of contrast, and at commas that stand between
two clauses. What is too short to be read alone stays with its neighbour. The rules are lists that anyone can
read and change, not a model: the same text always gives the same parts.
"""

# ruff: noqa: SIM905 - lists of words read better as one text
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from patient_feedback.words import words

SEGMENTS_VERSION = "1"
"""Goes up with any change of the rules: texts that were cut by other rules are read again."""
MINIMUM_WORDS = 3
"""A part with fewer words is joined to its neighbour."""
MINIMUM_WORDS_BESIDE_COMMA = 4
MAXIMUM_SEGMENTS = 16
"""A longer text has its neighbouring parts joined until so many are left."""

CONTEXT_SHARE = 0.6
"""How much of the whole text's vector is taken out of a segment's before anything is read in it."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClauseWords:
    """What the rules need to know of a language; all in lower case."""

    contrasts: tuple[str, ...]
    """A new part begins before each of them."""
    openings: frozenset[str]
    """Words with which a clause may begin after a comma."""
    verbs: frozenset[str]
    """Frequent verbs: a clause on either side of a comma holds one."""
    abbreviations: frozenset[str]
    """Their full stop ends no sentence."""


LANGUAGES = {
    "en": ClauseWords(
        contrasts=(
            *("but", "however", "although", "though", "even though", "whereas"),
            *("except", "apart from", "other than that", "on the other hand", "unfortunately"),
        ),
        openings=frozenset(
            "i we you they he she it there the this that these my our your their his her a an all everyone "
            "everything everybody nobody nothing noone no some most staff nurses nurse doctors doctor "
            "reception receptionist food parking".split()
        ),
        verbs=frozenset(
            "is isn't are aren't was wasn't were weren't am i'm it's they're we're he's she's that's there's be "
            "been has hasn't have haven't had hadn't do don't does doesn't did didn't will won't would wouldn't "
            "can can't cannot could couldn't should shouldn't must need needs needed felt feel feels got get "
            "gets gave give made make makes took take went came told said explained listened helped treated "
            "waited seemed looked asked kept seen left".split()
        ),
        abbreviations=frozenset(
            "dr mr mrs ms prof st e.g i.e eg ie etc approx appt tel dept vs a.m p.m".split()
        ),
    ),
    "sv": ClauseWords(
        contrasts=(
            *("men", "dock", "däremot", "fastän", "även om", "trots att", "medan"),
            *("förutom", "bortsett från", "å andra sidan", "tyvärr"),
        ),
        openings=frozenset(
            "jag vi du ni de dom hon han det den där detta dessa min mitt mina vår vårt våra alla allt ingen "
            "inget inga man personalen läkaren läkarna sköterskan sköterskorna maten".split()
        ),
        verbs=frozenset(
            "är var varit har hade blev blir ska skulle kan kunde måste fick får gav ger tog tar kändes känns "
            "känner kände kom kommer gick går sa säger förklarade lyssnade hjälpte väntade behöver behövde "
            "gjorde gör verkade".split()
        ),
        abbreviations=frozenset("dr t.ex t.o.m bl.a ca osv m.m d.v.s dvs s.k tel avd kl".split()),
    ),
}
"""A text in another language is cut at its punctuation alone."""
PUNCTUATION_ALONE = ClauseWords((), frozenset(), frozenset(), frozenset())

SENTENCE_END = re.compile(
    # A stop, its closing quotes, then white space; or a stop that somebody forgot the space after.
    r"[.!?\u2026\u061f\u06d4\u0964]+[\"'\u2019\u201d)]*(?=\s)|(?<=[^\W\d_]{2})[.!?]+(?=[^\W\d_][^\W\d_])"
)
BREAK = re.compile(r"\s*[\r\n]+[\s*\u2022\u00b7-]*|;|\s+[-\u2013\u2014]+\s+|\u2014")
COMMA = re.compile(r",(?=\s)")
BEFORE_STOP = re.compile(r"(\S+?)[.]+$")


def split_segments(text: str, language_code: str | None = "en") -> list[Span]:
    """Return (start, end) of each part, in order; one span over the whole text where there is nothing to cut.

    The parts hold every word of the text; white space at their ends is left out. A mark such as [PERSON] is
    never cut. `language_code` (ISO 639-1) names the language whose words of contrast are looked for.
    """
    whole = [(0, len(text))]
    if len(words(text)) < 2 * MINIMUM_WORDS:
        return whole
    known = LANGUAGES.get(language_code or "", PUNCTUATION_ALONE)
    spans = _between(text, sorted({*_sentence_cuts(text, known), *_clause_cuts(text, known)}))
    spans = [part for span in spans for part in _at_commas(text, span, known)]
    spans = _bounded(_without_short(text, spans))
    return spans if len(spans) > 1 else whole


def several_segments(text: str, language_code: str | None = "en") -> list[Span]:
    """Return the segments of a text that has several; one alone is the text and has its vector."""
    spans = split_segments(text, language_code)
    return spans if len(spans) > 1 else []


def without_context(segments: NDArray[np.float32], wholes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return unit vectors of segments with most of what they share with their whole text taken out.

    A segment is embedded in the context of its text, so praise colours the blame beside it. Of two comments
    put together, one good and one bad, the plain vector gave 85 % of the parts their own side, this one 97 %,
    and a second pass through the encoder for each part 99 %. Of parts whose theme is not that of the whole,
    48 % and 62 % got the theme that they have alone.
    """
    own = segments - CONTEXT_SHARE * wholes
    lengths = np.linalg.norm(own, axis=1, keepdims=True)
    return (own / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)


def _sentence_cuts(text: str, known: ClauseWords) -> Iterator[int]:
    for match in SENTENCE_END.finditer(text):
        before = BEFORE_STOP.search(text[max(0, match.start() - 12) : match.end()])
        if before and before[1].lower().lstrip("(\"'") in known.abbreviations and match[0] == ".":
            continue
        yield match.end()
    for match in BREAK.finditer(text):
        yield match.end()


def _clause_cuts(text: str, known: ClauseWords) -> Iterator[int]:
    if known.contrasts:
        for match in _contrast(known.contrasts).finditer(text):
            yield match.start()


@cache
def _contrast(listed: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(listed, key=len, reverse=True)
    alternatives = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in longest_first)
    return re.compile(rf"(?<![\w'\u2019-])(?:{alternatives})(?![\w'\u2019-])", re.IGNORECASE)


def _between(text: str, cuts: Sequence[int]) -> list[Span]:
    bounds = [0, *(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    return [span for start, end in pairwise(bounds) if (span := _trimmed(text, start, end))[0] < span[1]]


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))


def _at_commas(text: str, span: Span, known: ClauseWords) -> list[Span]:
    """Cut where a clause stands on both sides of the comma: lists and afterthoughts stay whole."""
    start, end = span
    cuts = []
    for match in COMMA.finditer(text, start, end):
        left, right = words(text[start : match.start()]), words(text[match.end() : end])
        if (
            min(len(left), len(right)) >= MINIMUM_WORDS_BESIDE_COMMA
            and right[0] in known.openings
            and not known.verbs.isdisjoint(left)
            and not known.verbs.isdisjoint(right)
        ):
            cuts.append(match.end())
            start = match.end()
    return [_trimmed(text, *bounds) for bounds in zip([span[0], *cuts], [*cuts, end], strict=True)]


def _without_short(text: str, spans: Sequence[Span]) -> list[Span]:
    """Join a part with too few words to the one before it, the first to the one after it."""
    kept: list[Span] = []
    for span in spans:
        if kept and min(_word_count(text, span), _word_count(text, kept[-1])) < MINIMUM_WORDS:
            kept[-1] = (kept[-1][0], span[1])
        else:
            kept.append(span)
    return kept


def _word_count(text: str, span: Span) -> int:
    return len(words(text[slice(*span)]))


def _bounded(spans: list[Span]) -> list[Span]:
    width = -(-len(spans) // MAXIMUM_SEGMENTS)
    return [
        (spans[first][0], spans[min(first + width, len(spans)) - 1][1])
        for first in range(0, len(spans), width)
    ]
