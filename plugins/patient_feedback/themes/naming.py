"""Names for themes, made of the patients' own words: class-based TF-IDF over words and pairs of words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from patient_feedback.themes.content import content_phrases, stem

KEYWORD_COUNT = 10
LABEL_PHRASES = 3
MINIMUM_SHARE = 0.02
"""A keyword stands in at least this share of the theme's members ..."""
MINIMUM_MEMBERS = 2
"""... and in at least this many of them."""
WEAK_SCORE = 0.35
"""A phrase that scores below this share of the theme's best one stays out of the label."""
PAIR_SHARE = 0.4
"""A pair replaces its words where it stands in at least this share of the members that hold the rarer word."""


@dataclass(frozen=True, slots=True)
class ThemeName:
    label: str
    """For people, in title case: "Waiting Time, Phone"; unlike that of any other theme of the fit."""
    keywords: tuple[str, ...]
    """Best first, at most `KEYWORD_COUNT`, lower case."""


def name_themes(
    texts: Sequence[str], memberships: Sequence[int], theme_count: int, languages: tuple[str, ...]
) -> list[ThemeName]:
    """Return a name for each theme 0..theme_count-1, from the redacted texts of its members.

    `memberships` holds each text's theme. A phrase scores by the share of the theme's members that
    hold it, times the logarithm of how much rarer it is in the whole.
    """
    inside = [Counter[str]() for _ in range(theme_count)]
    overall: Counter[str] = Counter()
    sizes = Counter(memberships)
    for text, theme in zip(texts, memberships, strict=True):
        phrases = content_phrases(text, languages)
        inside[theme].update(phrases)
        overall.update(phrases)
    keywords = [
        _keywords(inside[theme], overall, sizes[theme], len(texts)) for theme in range(theme_count)
    ]
    labels = _distinct_labels(keywords, sizes)
    return [
        ThemeName(label, tuple(phrase for phrase, _ in ranked))
        for label, ranked in zip(labels, keywords, strict=True)
    ]


def _keywords(inside: Counter[str], overall: Counter[str], size: int, total: int) -> list[tuple[str, float]]:
    minimum = max(MINIMUM_MEMBERS, math.ceil(MINIMUM_SHARE * size)) if size > 3 else 1
    scores: dict[str, float] = {}
    for phrase, count in inside.items():
        if count < minimum:
            continue
        share = count / size
        rarity = math.log(share / (overall[phrase] / total))
        if rarity > 0 or size == total:
            scores[phrase] = share * max(rarity, 0.01)
    for phrase in [phrase for phrase in scores if " " in phrase]:
        first, second = phrase.split()
        if inside[phrase] >= PAIR_SHARE * min(inside[first], inside[second]):
            # The pair says what its rarer word means; it takes the word's place.
            scores[phrase] = max(scores[phrase], scores.get(first, 0.0), scores.get(second, 0.0))
        else:
            del scores[phrase]
    ranked = sorted(scores.items(), key=lambda item: (-item[1], -item[0].count(" "), item[0]))
    chosen: list[tuple[str, float]] = []
    for phrase, score in ranked:
        if not any(_is_near_duplicate(phrase, other) for other, _ in chosen):
            chosen.append((phrase, score))
        if len(chosen) == KEYWORD_COUNT:
            break
    return chosen


def _is_near_duplicate(phrase: str, other: str) -> bool:
    stems, other_stems = {stem(word) for word in phrase.split()}, {stem(word) for word in other.split()}
    return stems <= other_stems or other_stems <= stems


def _distinct_labels(keywords: Sequence[Sequence[tuple[str, float]]], sizes: Counter[int]) -> list[str]:
    labels: dict[int, str] = {}
    for theme in sorted(range(len(keywords)), key=lambda theme: (-sizes[theme], theme)):
        ranked = keywords[theme]
        strong = [phrase for phrase, score in ranked if score >= WEAK_SCORE * ranked[0][1]][:LABEL_PHRASES]
        rest = [phrase for phrase, _ in ranked if phrase not in strong]
        label = _label(strong)
        while label in labels.values() and rest:
            strong.append(rest.pop(0))
            label = _label(strong)
        number = 2
        while label in labels.values():
            label = f"{_label(strong)} ({number})"
            number += 1
        labels[theme] = label
    return [labels[theme] for theme in range(len(keywords))]


def _label(phrases: Sequence[str]) -> str:
    return ", ".join(phrase.title() for phrase in phrases) or "Other"
