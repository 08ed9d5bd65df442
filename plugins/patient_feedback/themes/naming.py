"""Names for themes, made of the patients' own words: class-based TF-IDF over words and pairs of words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from patient_feedback.themes.content import VERDICT_WORDS, content_phrases, stem

KEYWORD_COUNT = 10
LABEL_PHRASES = 3
MINIMUM_SHARE = 0.02
"""A keyword stands in at least this share of the theme's members ..."""
MINIMUM_MEMBERS = 2
"""... and in at least this many of them, once the theme has more than three."""
WEAK_SCORE = 0.3
"""A third phrase that scores below this share of the theme's best one stays out of the label."""
PAIR_FACTOR = 1.4
"""A pair says more than a word: it wins where it stands in more than 1 / 1.4 of the word's members."""
VERDICT_PHRASES = 2
"""A theme whose first phrases, this many, are all verdicts ("good", "nothing") has no subject of its own ..."""
GENERAL_PREFIX = "General: "
"""... and says so at the start of its label; any other theme's label leaves verdicts out."""
VERDICT_STEMS = frozenset(stem(word) for word in VERDICT_WORDS)


class LabelProposer(Protocol):
    """Something that proposes a theme's label, such as a language model in the house; none is shipped."""

    def __call__(self, keywords: Sequence[str], exemplars: Sequence[str]) -> str | None:
        """Return a label from a theme's keywords and redacted exemplars, or None to keep its own words."""
        ...


@dataclass(frozen=True, slots=True)
class ThemeName:
    label: str
    """For people, in title case: "Waiting Time, Hours", or "General: Everything, Good" where the theme has no
    subject of its own; unlike that of any other theme of the fit."""
    keywords: tuple[str, ...]
    """Best first, at most `KEYWORD_COUNT`, lower case."""


def name_themes(
    texts: Sequence[str], memberships: Sequence[int], theme_count: int, languages: tuple[str, ...]
) -> list[ThemeName]:
    """Return a name for each theme 0..theme_count-1, from the redacted texts of its members.

    `memberships` holds each text's theme. A phrase scores by the share of the theme's members that
    hold it, times the logarithm of how much rarer it is in the whole. Forms of one word ("wait",
    "waiting") count as one phrase and are shown in their most frequent form.
    """
    inside = [Counter[str]() for _ in range(theme_count)]
    overall: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    sizes = Counter(memberships)
    for text, theme in zip(texts, memberships, strict=True):
        stems: set[str] = set()
        for phrase in content_phrases(text, languages):
            stemmed = " ".join(map(stem, phrase.split()))
            forms.setdefault(stemmed, Counter())[phrase] += 1
            stems.add(stemmed)
        inside[theme].update(stems)
        overall.update(stems)
    shown = {stemmed: min(seen, key=lambda form: (-seen[form], form)) for stemmed, seen in forms.items()}
    ranked = [_ranked(inside[theme], overall, sizes[theme], len(texts)) for theme in range(theme_count)]
    labels = _distinct_labels(ranked, sizes, shown)
    return [
        ThemeName(label, tuple(shown[stemmed] for stemmed, _ in scored))
        for label, scored in zip(labels, ranked, strict=True)
    ]


def _ranked(inside: Counter[str], overall: Counter[str], size: int, total: int) -> list[tuple[str, float]]:
    """Return (stemmed phrase, score), best first, no phrase within another."""
    minimum = max(MINIMUM_MEMBERS, math.ceil(MINIMUM_SHARE * size)) if size > MINIMUM_MEMBERS + 1 else 1
    scores: dict[str, float] = {}
    for phrase, count in inside.items():
        rarity = math.log((count / size) / (overall[phrase] / total))
        if count >= minimum and (rarity > 0 or size == total):
            scores[phrase] = (count / size) * max(rarity, 0.01) * (PAIR_FACTOR if " " in phrase else 1.0)
    chosen: list[tuple[str, float]] = []
    for phrase, score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        parts = set(phrase.split())
        if not any(parts <= set(other.split()) or parts >= set(other.split()) for other, _ in chosen):
            chosen.append((phrase, score))
        if len(chosen) == KEYWORD_COUNT:
            break
    return chosen


def _distinct_labels(
    ranked: Sequence[Sequence[tuple[str, float]]], sizes: Counter[int], shown: dict[str, str]
) -> list[str]:
    """Return a label for each theme; of two with one label the larger keeps it, the other adds a word."""
    labels: dict[int, str] = {}
    for theme in sorted(range(len(ranked)), key=lambda theme: (-sizes[theme], theme)):
        scored = ranked[theme]
        subjects = [one for one in scored if not _is_verdict(one[0])]
        is_general = (
            not subjects
            or all(_is_verdict(phrase) for phrase, _ in scored[:VERDICT_PHRASES])
            or subjects[0][1] < WEAK_SCORE * scored[0][1]
        )
        named = scored if is_general else subjects
        prefix = GENERAL_PREFIX if is_general and scored else ""
        phrases = _label_phrases(named)
        rest = [phrase for phrase, _ in named if phrase not in phrases]
        label = prefix + _label(phrases, shown)
        while label in labels.values() and rest:
            phrases.append(rest.pop(0))
            label = prefix + _label(phrases, shown)
        plain, number = label, 2
        while label in labels.values():
            label = f"{plain} ({number})"
            number += 1
        labels[theme] = label
    return [labels[theme] for theme in range(len(ranked))]


def _is_verdict(phrase: str) -> bool:
    return all(word in VERDICT_STEMS for word in phrase.split())


def _label_phrases(scored: Sequence[tuple[str, float]]) -> list[str]:
    """Return two or three phrases that share no word, so that each adds something."""
    phrases: list[str] = []
    for phrase, score in scored:
        is_weak = len(phrases) >= 2 and score < WEAK_SCORE * scored[0][1]
        repeats = any(set(phrase.split()) & set(other.split()) for other in phrases)
        if not is_weak and not repeats and len(phrases) < LABEL_PHRASES:
            phrases.append(phrase)
    return phrases


def _label(phrases: Sequence[str], shown: dict[str, str]) -> str:
    return ", ".join(shown[phrase].title() for phrase in phrases) or "Other"
