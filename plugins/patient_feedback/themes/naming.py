"""Names for themes, made of the patients' own words: class-based TF-IDF over words and short phrases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.content import capitalised_words, content_phrases, stem, verdict_stems

KEYWORD_COUNT = 10
CANDIDATE_COUNT = 25
AFFINITY_WEIGHT = 1.0
"""How much it counts that keywords stand together in comments: more makes them more coherent (C_v) and less telling."""
LABEL_PHRASES = 3
LABEL_WORDS = 4
TOPIC_LABEL_PHRASES = 2
MINIMUM_SHARE = 0.02
"""A keyword stands in at least this share of the theme's members ..."""
MINIMUM_MEMBERS = 2
"""... and in at least this many of them: what one comment alone says names nothing."""
WEAK_SCORE = 0.3
"""A phrase that scores below this share of the theme's best one stays out of the label."""
PHRASE_FACTOR = (1.0, 1.4, 1.6)
"""A phrase of two or three words says more than a word: it wins where it is nearly as frequent."""
FEWEST_SUBJECTS = 5
"""With so many keywords that name a subject, a theme needs none that only praises or blames."""
VERDICT_PHRASES = 2
"""A theme whose first phrases, this many, are all verdicts ("good", "nothing") has no subject of its own ..."""
GENERAL_PREFIX = "General: "
"""... and says so at the start of its label; any other theme's label leaves verdicts out."""
NAMED_MEMBERS = 200
NAMED_SUBTHEME_MEMBERS = 100
"""Words are counted in at most this many members of a theme or subtheme, evenly spaced: more take time."""
WITHOUT_WORDS = "Other"

Scored = list[tuple[str, float]]
"""(stemmed phrase, score), best first."""


class LabelProposer(Protocol):
    """Something that proposes a theme's label, such as a language model in the house; none is shipped."""

    def __call__(self, keywords: Sequence[str], exemplars: Sequence[str]) -> str | None:
        """Return a label from a theme's keywords and redacted exemplars, or None to keep its own words."""
        ...


@dataclass(frozen=True, slots=True)
class ThemeName:
    label: str
    """For people: "Waiting time, hours", "Parking: barrier, spaces" where a topic stands behind it, or
    "General: everything, good" where the theme has no subject; unlike that of any other theme of the fit."""
    keywords: tuple[str, ...]
    """Best first, at most `KEYWORD_COUNT`, lower case."""
    subthemes: tuple[ThemeName, ...] = ()


def name_themes(
    texts: Sequence[str],
    members: Sequence[NDArray[np.intp]],
    languages: tuple[str, ...],
    *,
    subthemes: Sequence[Sequence[NDArray[np.intp]]] | None = None,
    topic_labels: Sequence[str | None] | None = None,
    exemplars: Sequence[Sequence[int]] | None = None,
    finer_exemplars: Sequence[Sequence[Sequence[int]]] | None = None,
    propose_label: LabelProposer | None = None,
) -> list[ThemeName]:
    """Return a name for each theme, from the redacted texts of its members (positions in `texts`).

    A phrase scores by the share of the members that hold it, times the logarithm of how much rarer
    it is in the whole; for a subtheme the whole is its theme. Forms of one word ("wait", "waiting")
    count as one and are shown in their most frequent form.
    """
    members = [_evenly(own, NAMED_MEMBERS) for own in members]
    finer = [
        [_evenly(part, NAMED_SUBTHEME_MEMBERS) for part in parts]
        for parts in subthemes or [()] * len(members)
    ]
    read = np.unique(np.concatenate([np.zeros(0, np.intp), *members, *chain.from_iterable(finer)]))
    phrases, shown = _phrases(texts, read.tolist(), languages)
    verdicts = verdict_stems(languages)
    counted = [_counted(phrases, own) for own in members]
    overall: Counter[str] = Counter()
    for inside in counted:
        overall.update(inside)
    total = sum(map(len, members))
    in_capitals = {
        w for w, count in capitalised_words(texts[i] for i in read).items() if 2 * count > overall[stem(w)]
    }
    labels = _Labels(shown, in_capitals, verdicts)
    candidates: dict[tuple[int, ...], Scored] = {}
    for i, parts in enumerate(finer):
        candidates[i,] = _ranked(counted[i], overall, len(members[i]), total)
        whole = np.unique(np.concatenate([members[i], *parts]))
        around = _counted(phrases, whole) if parts else Counter()
        for part, own in enumerate(parts):
            candidates[i, part] = _ranked(_counted(phrases, own), around, len(own), len(whole))
    holders = _holders(phrases, {phrase for scored in candidates.values() for phrase, _ in scored})
    ranked = {
        theme: _coherent(_telling(scored, verdicts), holders, len(read))
        for theme, scored in candidates.items()
    }
    best = _best_scores(scored for theme, scored in candidates.items() if len(theme) == 1)
    # Themes before subthemes, and the larger first: of two with one label the first keeps it.
    for theme in sorted(ranked, key=lambda theme: (len(theme), -len(_members(theme, members, finer)), theme)):
        is_theme = len(theme) == 1
        listed = exemplars if is_theme else finer_exemplars[theme[0]] if finer_exemplars else None
        labels.give(
            theme,
            candidates[theme],
            misleading={phrase for phrase, score in candidates[theme] if is_theme and score < best[phrase]},
            proposed=_proposal(propose_label, texts, ranked[theme], shown, listed, theme[-1]),
            topic=topic_labels[theme[0]] if topic_labels and is_theme else None,
        )
    return [
        ThemeName(
            labels.given[theme,],
            _keywords(ranked[theme,], shown),
            tuple(
                ThemeName(labels.given[theme, part], _keywords(ranked[theme, part], shown))
                for part in range(len(finer[theme]))
            ),
        )
        for theme in range(len(members))
    ]


def _telling(scored: Scored, verdicts: frozenset[str]) -> Scored:
    """Return the candidates without those that only praise or blame, where enough are left."""
    subjects = [one for one in scored if not _is_verdict(one[0], verdicts)]
    return subjects if len(subjects) >= FEWEST_SUBJECTS else scored


def _best_scores(ranked: Iterable[Scored]) -> dict[str, float]:
    """Return the highest score that each phrase has in any theme."""
    best: dict[str, float] = {}
    for phrase, score in chain.from_iterable(ranked):
        best[phrase] = max(score, best.get(phrase, 0.0))
    return best


def _is_verdict(phrase: str, verdicts: frozenset[str]) -> bool:
    return all(word in verdicts for word in phrase.split())


def _members(
    theme: tuple[int, ...],
    members: Sequence[NDArray[np.intp]],
    subthemes: Sequence[Sequence[NDArray[np.intp]]],
) -> NDArray[np.intp]:
    return members[theme[0]] if len(theme) == 1 else subthemes[theme[0]][theme[1]]


class _Labels:
    """The labels given so far; no two are alike."""

    def __init__(self, shown: dict[str, str], in_capitals: set[str], verdicts: frozenset[str]) -> None:
        self.given: dict[tuple[int, ...], str] = {}
        self._shown = shown
        self._in_capitals = in_capitals
        self._verdicts = verdicts

    def give(
        self,
        theme: tuple[int, ...],
        scored: Scored,
        *,
        misleading: Collection[str] = (),
        proposed: str | None = None,
        topic: str | None = None,
    ) -> None:
        """Give a theme its label; one that another has gets a further phrase, or else a number.

        `misleading` are phrases that say more of another theme; they stay out while others are left.
        """
        subjects = [one for one in scored if not _is_verdict(one[0], self._verdicts)]
        is_general = topic is None and self._is_general(scored, subjects)
        named = scored if is_general or not subjects else subjects
        prefix = GENERAL_PREFIX if is_general and scored and len(theme) == 1 else ""
        limit = LABEL_PHRASES
        if topic is not None:
            known = {stem(word) for word in topic.lower().replace(",", " ").split()}
            named = [one for one in subjects if not known & set(one[0].split())]
            if self._is_general(scored, subjects):
                named = []
            prefix, limit = f"{topic}: ", TOPIC_LABEL_PHRASES
        named = [one for one in named if one[0] not in misleading] or named
        phrases = _label_phrases(named, limit)
        rest = [phrase for phrase, _ in named if phrase not in phrases]
        label = proposed or self._written(prefix, phrases)
        while label in self.given.values() and rest:
            phrases.append(rest.pop(0))
            label = self._written(prefix, phrases)
        plain, number = label, 2
        while label in self.given.values():
            label = f"{plain} ({number})"
            number += 1
        self.given[theme] = label

    def _is_general(self, scored: Scored, subjects: Scored) -> bool:
        return (
            not subjects
            or all(_is_verdict(phrase, self._verdicts) for phrase, _ in scored[:VERDICT_PHRASES])
            or subjects[0][1] < WEAK_SCORE * scored[0][1]
        )

    def _written(self, prefix: str, phrases: Sequence[str]) -> str:
        words = ", ".join(self._cased(self._shown[phrase]) for phrase in phrases)
        label = (prefix + words).removesuffix(": ") or WITHOUT_WORDS
        return label[0].upper() + label[1:]

    def _cased(self, phrase: str) -> str:
        """Return a phrase with the words that people write in capitals ("GP") in capitals."""
        return " ".join(word.upper() if word in self._in_capitals else word for word in phrase.split())


def _evenly(members: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
    return members[:: max(1, -(-len(members) // limit))]


class _StemmedPhrases(dict[str, str]):
    """Each phrase with every word stemmed, made when it is first asked for."""

    def __missing__(self, phrase: str) -> str:
        self[phrase] = stemmed = " ".join(map(stem, phrase.split()))
        return stemmed


def _phrases(
    texts: Sequence[str], read: Iterable[int], languages: tuple[str, ...]
) -> tuple[dict[int, tuple[str, ...]], dict[str, str]]:
    """Return the stemmed phrases of each text at `read`, and the form in which each is shown."""
    forms: Counter[str] = Counter()
    stemmed = _StemmedPhrases()
    listed: dict[int, tuple[str, ...]] = {}
    for i in read:
        found = content_phrases(texts[i], languages)
        forms.update(found)
        listed[i] = tuple({stemmed[phrase] for phrase in found})
    shown: dict[str, str] = {}
    for phrase, _ in sorted(forms.items(), key=lambda item: (-item[1], stemmed[item[0]], item[0])):
        shown.setdefault(stemmed[phrase], phrase)
    return listed, shown


def _counted(phrases: Mapping[int, tuple[str, ...]], members: Iterable[int]) -> Counter[str]:
    return Counter(chain.from_iterable(phrases[i] for i in members))


def _ranked(inside: Counter[str], overall: Counter[str], size: int, total: int) -> Scored:
    """Return the candidates for keywords: (stemmed phrase, score), best first, no phrase within another."""
    minimum = max(MINIMUM_MEMBERS, math.ceil(MINIMUM_SHARE * size))
    scores: dict[str, float] = {}
    for phrase, count in inside.items():
        if count < minimum:
            continue
        rarity = math.log((count / size) / (overall[phrase] / total))
        if rarity > 0 or size == total:
            scores[phrase] = (count / size) * max(rarity, 0.01) * PHRASE_FACTOR[phrase.count(" ")]
    chosen: Scored = []
    for phrase, score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        parts = set(phrase.split())
        if not any(parts <= set(other.split()) or parts >= set(other.split()) for other, _ in chosen):
            chosen.append((phrase, score))
        if len(chosen) == CANDIDATE_COUNT:
            break
    return chosen


def _coherent(candidates: Scored, holders: dict[str, set[int]], text_count: int) -> Scored:
    """Return at most `KEYWORD_COUNT` of the candidates, those that stand together in comments before others.

    The best one comes first; then each time the one with the best product of its score's root and
    the exponential of its mean affinity (normalised pointwise mutual information) to those chosen.
    """
    rest = list(range(1, len(candidates)))
    chosen = [0] if candidates else []
    affinities = np.zeros(len(candidates))
    while rest and len(chosen) < KEYWORD_COUNT:
        newest = holders[candidates[chosen[-1]][0]]
        for i in rest:
            affinities[i] += _affinity(holders[candidates[i][0]], newest, text_count)
        best = max(
            rest,
            key=lambda i: (
                math.sqrt(candidates[i][1]) * math.exp(AFFINITY_WEIGHT * affinities[i] / len(chosen))
            ),
        )
        rest.remove(best)
        chosen.append(best)
    return [candidates[i] for i in sorted(chosen)]


def _affinity(one: set[int], other: set[int], text_count: int) -> float:
    """Return how much more often two phrases share a comment than by chance: -1 never, 0 by chance, 1 always."""
    shared = len(one & other) / text_count
    if shared == 0.0:
        return -1.0
    if shared == 1.0:
        return 1.0
    return math.log(shared * text_count**2 / (len(one) * len(other))) / -math.log(shared)


def _holders(phrases: Mapping[int, tuple[str, ...]], wanted: set[str]) -> dict[str, set[int]]:
    """Return the texts that hold each wanted phrase."""
    holders: dict[str, set[int]] = {phrase: set() for phrase in wanted}
    for i, held in phrases.items():
        for phrase in wanted.intersection(held):
            holders[phrase].add(i)
    return holders


def _label_phrases(scored: Scored, limit: int) -> list[str]:
    """Return a few phrases that share no word, so that each adds something."""
    phrases: list[str] = []
    for phrase, score in scored:
        is_weak = len(phrases) >= 2 and score < WEAK_SCORE * scored[0][1]
        repeats = any(set(phrase.split()) & set(other.split()) for other in phrases)
        word_count = sum(len(other.split()) for other in [*phrases, phrase])
        if (
            not is_weak
            and not repeats
            and len(phrases) < limit
            and (not phrases or word_count <= LABEL_WORDS)
        ):
            phrases.append(phrase)
    return phrases


def _keywords(scored: Scored, shown: dict[str, str]) -> tuple[str, ...]:
    return tuple(shown[stemmed] for stemmed, _ in scored)


def _proposal(
    propose_label: LabelProposer | None,
    texts: Sequence[str],
    scored: Scored,
    shown: dict[str, str],
    exemplars: Sequence[Sequence[int]] | None,
    theme: int,
) -> str | None:
    if propose_label is None:
        return None
    chosen = exemplars[theme] if exemplars else ()
    return (propose_label(_keywords(scored, shown), [texts[i] for i in chosen]) or "").strip() or None
