"""Themes found in a bounded sample of comments, at two levels, with a centre and a name each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.assign import ThemeCentres, confidences_of, similarities_to
from patient_feedback.themes.clusters import (
    CLEAR_READING,
    anchored_groups,
    centres_of,
    cohesion,
    dense_regions,
    divide,
)
from patient_feedback.themes.content import is_contentless
from patient_feedback.themes.naming import LabelProposer, name_themes
from patient_feedback.themes.space import ThemeSpace, theme_space, unit

THEME_MODEL_VERSION = "anchored-2.0.2"
"""Changes whenever the same sample would give other themes."""
READABLE_LENGTH = (25, 300)
"""Characters of an exemplar that a person takes in at a glance."""
SAME_SAYING = 0.85
"""Cosine similarity from which on two exemplars would say the same."""
FOUND_LIKENESS = 0.75
"""A subject without a topic hangs together as well as this share of the anchored themes does at most."""
TOPIC_NAME_SHARE = 0.4
"""A theme bears its topic's name where this share of its members speak of it first and clearly: on trusts that the
readers never saw, the topic was then the commonest human label of the members, and below it was not."""
TYPICAL_SIMILARITY_SHARE = 0.01
"""Of the fitted texts this share is less like its theme than a text that is about none of them."""


@dataclass(frozen=True, slots=True)
class ThemeSettings:
    """What a fit depends on beside its sample; kept with the theme set."""

    minimum_texts: int = 12
    """Fewer texts with a subject than this give no themes."""
    minimum_members: int = 3
    minimum_anchored_share: float = 0.005
    """A topic is a theme where this share of the texts speaks of it first and clearly."""
    kept_anchored_share: float = 0.003
    """A topic that was a theme of the set before stays one down to this share, so that none comes and goes by chance."""
    minimum_found_share: float = 0.02
    """A subject that no topic covers is a theme where this share of the texts lies together."""
    minimum_divided_share: float = 0.03
    """Without topic readers, no theme starts from less than this share of the texts ..."""
    largest_divided_share: float = 0.25
    """... and one of more than this share is divided although its parts are less sure to be found again."""
    maximum_themes: int = 40
    minimum_subtheme_members: int = 12
    minimum_subtheme_share: float = 0.01
    """No subtheme is smaller than this share of all texts, nor than `minimum_subtheme_members`."""
    maximum_subthemes: int = 6
    reproduced_share: float = 0.85
    """A group is divided where half of its texts alone would divide this share of them alike."""
    unassigned_share: float = 0.02
    """The assignment threshold is this quantile of the sample's own confidences."""
    exemplar_count: int = 5
    languages: tuple[str, ...] = ("en",)
    """ISO 639-1: whose stop words are kept out of names."""


@dataclass(frozen=True, slots=True)
class SubthemeModel:
    """The finer themes within one theme, largest first; none where it is not divided."""

    centroids: NDArray[np.float32]
    """Unit vectors beside the stored ones, shape (subthemes, dimensions)."""
    labels: tuple[str, ...]
    """Unlike every other label of the set."""
    keywords: tuple[tuple[str, ...], ...]
    exemplars: tuple[tuple[int, ...], ...]
    member_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ThemeModel:
    """Themes in order of size, largest first; the fields up to `subthemes` have one entry a theme."""

    centroids: NDArray[np.float32]
    """Unit vectors of the theme space, shape (themes, space.dimensions)."""
    labels: tuple[str, ...]
    """Unlike every other label of the set."""
    keywords: tuple[tuple[str, ...], ...]
    exemplars: tuple[tuple[int, ...], ...]
    """Positions in the fitted texts of the most typical members, best first."""
    member_counts: tuple[int, ...]
    """Of the fitted texts that name a subject, each counted with its nearest theme."""
    topics: tuple[int | None, ...]
    """The reader that each theme is anchored at; None for one that was found or divided."""
    subthemes: tuple[SubthemeModel, ...]
    space: ThemeSpace
    threshold: float
    """Confidence below which a comment is unassigned."""
    criterion: dict[str, Any]
    """Why there are this many themes: the rule, in words, and the numbers that it met."""
    mean_similarity: float
    """Mean confidence of the fitted texts that name a subject."""
    unassigned_share: float
    """Share of all fitted texts that the set leaves unassigned."""
    floor: float = 0.0
    """Cosine similarity to a centre that a text about none of the themes may well have."""

    @property
    def centres(self) -> ThemeCentres:
        """What an assignment needs."""
        finer = tuple(one.centroids for one in self.subthemes)
        return ThemeCentres(self.space, self.centroids, self.threshold, finer, self.floor)


@dataclass(frozen=True, slots=True)
class _Group:
    """A theme before it has a name: positions among the used texts."""

    members: NDArray[np.intp]
    topic: int | None
    """The topic that it is anchored at."""


def fit_themes(
    texts: Sequence[str],
    embeddings: NDArray[np.float32],
    settings: ThemeSettings | None = None,
    *,
    topic_weights: NDArray[np.float32] | None = None,
    topic_offsets: NDArray[np.float32] | None = None,
    topic_labels: Sequence[str] | None = None,
    previous_topics: Collection[int] = (),
    propose_label: LabelProposer | None = None,
    threads: int = 1,
) -> ThemeModel:
    """Return the themes of a sample of distinct redacted texts; none where too few of them have a subject.

    `embeddings` has shape (texts, dimensions), unit length. `topic_weights` (dimensions, topics) and
    `topic_offsets` (topics,) are the linear topic readers of the encoder that made them, on the
    scale of log odds; `topic_labels` are their names, `previous_topics` the readers at which the set before
    was anchored. Nothing is drawn by chance: the result does not
    depend on a seed, on the order of the texts, or on the number of processors; `threads` divide the
    themes into subthemes side by side. Raises ValueError where shapes differ.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    settings = settings or ThemeSettings()
    if len(texts) != len(embeddings):
        raise ValueError(f"{len(texts)} texts but {len(embeddings)} vectors: give one vector for each text.")
    space = theme_space(embeddings.shape[1], topic_weights, topic_offsets)
    if topic_labels is not None and len(topic_labels) != space.projection.shape[1]:
        raise ValueError(f"{len(topic_labels)} topic labels for {space.projection.shape[1]} readers.")
    used = np.array(
        sorted((i for i, t in enumerate(texts) if not is_contentless(t)), key=lambda i: texts[i]),
        dtype=np.intp,
    )
    if len(used) < settings.minimum_texts:
        return _no_themes(space, len(used))
    # One thread: with more, sums are added in another order and a fit would differ between machines.
    with threadpool_limits(limits=1):
        return _fit(
            [texts[i] for i in used],
            np.ascontiguousarray(embeddings[used], np.float32),
            used,
            len(texts),
            space,
            settings,
            topic_labels,
            previous_topics,
            propose_label,
            threads,
        )


def _fit(
    texts: list[str],
    embeddings: NDArray[np.float32],
    positions: NDArray[np.intp],
    given_count: int,
    space: ThemeSpace,
    settings: ThemeSettings,
    topic_labels: Sequence[str] | None,
    previous_topics: Collection[int],
    propose_label: LabelProposer | None,
    threads: int,
) -> ThemeModel:
    given = embeddings.astype(np.float64)
    readings = space.read(given)
    placed, vectors = space.place(given, readings), unit(given, out=given)
    groups, criterion = _find_groups(vectors, readings, settings, previous_topics)
    groups, centroids, similarities = _settle(placed, groups, settings.minimum_members)
    nearest, best = similarities.argmax(axis=1), similarities.max(axis=1)
    members = [np.flatnonzero(nearest == theme) for theme in range(len(groups))]
    with ThreadPoolExecutor(threads) as pool:
        finer = list(pool.map(lambda own: _subtheme_members(vectors, own, len(texts), settings), members))
    finer_centroids = [centres_of(vectors, one) for one in finer]
    shortest, longest = READABLE_LENGTH
    is_readable = np.array([shortest <= len(text) <= longest for text in texts])
    ranked = [_exemplars(is_readable, vectors, own, best[own], settings.exemplar_count) for own in members]
    finer_ranked = [
        [
            _exemplars(is_readable, vectors, own, vectors[own] @ centre, settings.exemplar_count)
            for own, centre in zip(parts, centres, strict=True)
        ]
        for parts, centres in zip(finer, finer_centroids, strict=True)
    ]
    names = name_themes(
        texts,
        members,
        settings.languages,
        subthemes=finer,
        topic_labels=[
            _topic_label(group, own, topic_labels) for group, own in zip(groups, members, strict=True)
        ],
        exemplars=ranked,
        finer_exemplars=finer_ranked,
        propose_label=propose_label,
    )
    subthemes = tuple(
        SubthemeModel(
            centroids=centres.astype(np.float32),
            labels=tuple(one.label for one in name.subthemes),
            keywords=tuple(one.keywords for one in name.subthemes),
            exemplars=tuple(tuple(int(positions[i]) for i in chosen) for chosen in exemplars),
            member_counts=tuple(len(part) for part in parts),
        )
        for name, parts, centres, exemplars in zip(names, finer, finer_centroids, finer_ranked, strict=True)
    )
    floor = float(np.quantile(best, TYPICAL_SIMILARITY_SHARE))
    confidences = confidences_of(similarities, floor, has_readers=space.has_readers)
    threshold = float(np.quantile(confidences, settings.unassigned_share))
    return ThemeModel(
        centroids=centroids,
        labels=tuple(name.label for name in names),
        keywords=tuple(name.keywords for name in names),
        exemplars=tuple(tuple(int(positions[i]) for i in chosen) for chosen in ranked),
        member_counts=tuple(len(own) for own in members),
        topics=tuple(group.topic for group in groups),
        subthemes=subthemes,
        space=space,
        threshold=threshold,
        floor=floor,
        criterion=criterion,
        mean_similarity=float(confidences.mean()),
        unassigned_share=1.0 - int((confidences >= threshold).sum()) / given_count,
    )


def _find_groups(
    vectors: NDArray[np.float64],
    readings: NDArray[np.float64],
    settings: ThemeSettings,
    previous_topics: Collection[int],
) -> tuple[list[_Group], dict[str, Any]]:
    """Return the texts that each theme starts from, and why there are this many."""
    total = len(vectors)
    anchor_minimum = max(settings.minimum_members, round(settings.minimum_anchored_share * total))
    kept_minimum = max(settings.minimum_members, round(settings.kept_anchored_share * total))
    anchored = anchored_groups(readings, anchor_minimum, previous_topics, kept_minimum)
    if len(anchored) < 2:
        minimum = max(settings.minimum_members, round(settings.minimum_divided_share * total))
        largest = round(settings.largest_divided_share * total)
        parts = divide(vectors, minimum, settings.maximum_themes, settings.reproduced_share, largest)
        groups = [_Group(np.flatnonzero(parts == part), None) for part in range(int(parts.max()) + 1)]
        rule = "a group is halved while both parts hold the minimum and each half of its texts alone divides it alike"
        return groups, {"rule": rule, "text_count": total, "minimum_members": minimum, "divided": len(groups)}
    likeness = float(
        np.quantile([cohesion(vectors[members]) for members in anchored.values()], FOUND_LIKENESS)
    )
    unread = np.flatnonzero(readings.max(axis=1) < CLEAR_READING)
    found_minimum = max(settings.minimum_members, round(settings.minimum_found_share * total))
    found = dense_regions(vectors[unread], likeness, found_minimum)
    groups = [_Group(members, topic) for topic, members in anchored.items()]
    groups += [_Group(unread[members], None) for members in found]
    return groups[: settings.maximum_themes], {
        "rule": (
            "a theme for each topic that enough texts speak of first and clearly (fewer are enough where it was a "
            "theme before), and for each dense region of enough texts that no topic covers"
        ),
        "text_count": total,
        "minimum_anchored": anchor_minimum,
        "minimum_kept": kept_minimum,
        "minimum_found": found_minimum,
        "likeness": round(likeness, 4),
        "anchored": len(anchored),
        "found": len(found),
        "unread_share": round(len(unread) / total, 4),
    }


def _settle(
    placed: NDArray[np.float64], groups: list[_Group], minimum: int
) -> tuple[list[_Group], NDArray[np.float32], NDArray[np.float64]]:
    """Return the groups nearest to `minimum` texts or more, largest first, their centres, and every similarity.

    Centres are not moved towards what they attract: that gained nothing and cost stability.
    """
    while True:
        centroids = centres_of(placed, [group.members for group in groups]).astype(np.float32)
        similarities = similarities_to(centroids, placed)
        sizes = np.bincount(similarities.argmax(axis=1), minlength=len(groups))
        smallest = int(sizes.argmin())
        if sizes[smallest] >= minimum or len(groups) == 1:
            order = np.argsort(-sizes, kind="stable")
            return [groups[i] for i in order], centroids[order], similarities[:, order]
        groups = groups[:smallest] + groups[smallest + 1 :]


def _subtheme_members(
    vectors: NDArray[np.float64], members: NDArray[np.intp], total: int, settings: ThemeSettings
) -> list[NDArray[np.intp]]:
    """Return the members of each subtheme, largest first; none where the theme is one group.

    Told apart by the stored vectors alone: within a theme its topic says nothing more.
    """
    minimum = max(settings.minimum_subtheme_members, round(settings.minimum_subtheme_share * total))
    parts = divide(vectors[members], minimum, settings.maximum_subthemes, settings.reproduced_share)
    if not parts.any():
        return []
    groups = [_Group(np.flatnonzero(parts == part), None) for part in range(int(parts.max()) + 1)]
    groups, _, similarities = _settle(vectors[members], groups, settings.minimum_members)
    nearest = similarities.argmax(axis=1)
    return [members[nearest == part] for part in range(len(groups))]


def _topic_label(group: _Group, members: NDArray[np.intp], topic_labels: Sequence[str] | None) -> str | None:
    """Return the name of the topic that enough members speak of first and clearly."""
    if group.topic is None or topic_labels is None:
        return None
    clear_count = len(np.intersect1d(group.members, members))
    return topic_labels[group.topic] if clear_count >= TOPIC_NAME_SHARE * len(members) else None


def _exemplars(
    is_readable: NDArray[np.bool_],
    vectors: NDArray[np.float64],
    members: NDArray[np.intp],
    similarities: NDArray[np.float64],
    count: int,
) -> list[int]:
    """Return the most typical members, those of a readable length first, no two that say the same."""
    chosen: list[int] = []
    for i in members[np.lexsort((members, -np.round(similarities, 6), ~is_readable[members]))].tolist():
        if not chosen or float((vectors[chosen] @ vectors[i]).max()) < SAME_SAYING:
            chosen.append(i)
        if len(chosen) == count:
            break
    return chosen


def _no_themes(space: ThemeSpace, text_count: int) -> ThemeModel:
    return ThemeModel(
        centroids=np.zeros((0, space.dimensions), np.float32),
        labels=(),
        keywords=(),
        exemplars=(),
        member_counts=(),
        topics=(),
        subthemes=(),
        space=space,
        threshold=0.0,
        floor=0.0,
        criterion={"rule": "too few texts with a subject", "text_count": text_count},
        mean_similarity=0.0,
        unassigned_share=1.0,
    )
