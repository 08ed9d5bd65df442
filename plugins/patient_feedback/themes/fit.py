"""Themes found in a sample of comments: clusters of their vectors, with a centre and a name each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.assign import ThemeCentres
from patient_feedback.themes.content import is_contentless
from patient_feedback.themes.naming import LabelProposer, name_themes
from patient_feedback.themes.space import ThemeSpace, plain_space

THEME_MODEL_VERSION = "kmeans-1.1.0"
"""Changes whenever the same sample would give other themes."""


@dataclass(frozen=True, slots=True)
class ThemeSettings:
    """What a fit depends on beside its sample; kept with the theme set."""

    maximum_themes: int = 40
    texts_per_squared_theme: float = 6.0
    """Number of themes = sqrt(texts / this), rounded, at most `maximum_themes`: 30 at 5,400 texts."""
    minimum_texts: int = 12
    """Fewer texts with a subject than this give no themes."""
    minimum_members: int = 3
    """A cluster smaller than this is no theme; its members go to their next nearest."""
    unassigned_share: float = 0.05
    """The assignment threshold is this quantile of the sample's similarities to its own centres."""
    exemplar_count: int = 5
    starts: int = 8
    seed: int = 20_260_101
    languages: tuple[str, ...] = ("en",)
    """ISO 639-1: whose stop words are kept out of names."""


@dataclass(frozen=True, slots=True)
class SubthemeModel:
    """The finer themes within one theme, largest first; none where it is not divided."""

    centroids: NDArray[np.float32]
    """Unit vectors of the theme space, shape (subthemes, space.dimensions)."""
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

    @property
    def centres(self) -> ThemeCentres:
        """What an assignment needs."""
        finer = tuple(one.centroids for one in self.subthemes)
        return ThemeCentres(self.space, self.centroids, self.threshold, finer)


def fit_themes(
    texts: Sequence[str],
    embeddings: NDArray[np.float32],
    settings: ThemeSettings | None = None,
    *,
    topic_weights: NDArray[np.float32] | None = None,  # noqa: ARG001
    topic_labels: Sequence[str] | None = None,  # noqa: ARG001
    propose_label: LabelProposer | None = None,  # noqa: ARG001
) -> ThemeModel:
    """Return the themes of a sample of distinct redacted texts; none where too few of them have a subject.

    `embeddings` has shape (texts, dimensions), unit length. `topic_weights`, shape (dimensions,
    topics), are the linear topic readers of the encoder that made them, `topic_labels` their names.
    The result does not depend on the order of the texts nor on the number of processors. Raises
    ValueError where the shapes differ.
    """
    settings = settings or ThemeSettings()
    if len(texts) != len(embeddings):
        raise ValueError(f"{len(texts)} texts but {len(embeddings)} vectors: give one vector for each text.")
    used = np.array(
        sorted((i for i, t in enumerate(texts) if not is_contentless(t)), key=lambda i: texts[i]),
        dtype=np.intp,
    )
    count = theme_count(len(used), settings)
    if count == 0:
        return ThemeModel(
            centroids=np.zeros((0, embeddings.shape[1]), np.float32),
            labels=(),
            keywords=(),
            exemplars=(),
            member_counts=(),
            subthemes=(),
            space=plain_space(embeddings.shape[1]),
            threshold=0.0,
            criterion={"rule": "too few texts with a subject", "text_count": len(used)},
            mean_similarity=0.0,
            unassigned_share=1.0,
        )
    vectors = np.ascontiguousarray(embeddings[used], dtype=np.float32)
    centroids = _cluster(vectors, count, settings)
    similarities = vectors @ centroids.T
    nearest = similarities.argmax(axis=1)
    best = similarities.max(axis=1)
    sizes = np.bincount(nearest, minlength=len(centroids))
    order = np.argsort(-sizes, kind="stable")
    rank = np.argsort(order, kind="stable")
    nearest, sizes = rank[nearest], sizes[order]
    sample = [texts[i] for i in used]
    threshold = float(np.quantile(best, settings.unassigned_share))
    names = name_themes(sample, nearest.tolist(), len(order), settings.languages)
    return ThemeModel(
        centroids=centroids[order],
        labels=tuple(name.label for name in names),
        keywords=tuple(name.keywords for name in names),
        exemplars=tuple(
            tuple(int(used[i]) for i in _exemplars(sample, nearest == theme, best, settings.exemplar_count))
            for theme in range(len(order))
        ),
        member_counts=tuple(int(size) for size in sizes),
        subthemes=(SubthemeModel(np.zeros((0, embeddings.shape[1]), np.float32), (), (), (), ()),)
        * len(order),
        space=plain_space(embeddings.shape[1]),
        threshold=threshold,
        criterion={"rule": "square root of the texts", "text_count": len(used)},
        mean_similarity=float(best.mean()),
        unassigned_share=1.0 - int((best >= threshold).sum()) / len(texts),
    )


def theme_count(text_count: int, settings: ThemeSettings) -> int:
    """Return how many themes a sample of `text_count` texts with a subject is cut into."""
    if text_count < settings.minimum_texts:
        return 0
    return max(
        2, min(settings.maximum_themes, round(math.sqrt(text_count / settings.texts_per_squared_theme)))
    )


def _cluster(vectors: NDArray[np.float32], count: int, settings: ThemeSettings) -> NDArray[np.float32]:
    """Return unit centres of at most `count` clusters of `minimum_members` or more."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    distinct = len(np.unique(vectors, axis=0))
    # One thread: with more, sums are added in another order and a fit would differ between machines.
    with threadpool_limits(limits=1):
        kmeans = KMeans(min(count, distinct), n_init=settings.starts, random_state=settings.seed).fit(vectors)
    sizes = np.bincount(kmeans.labels_, minlength=kmeans.n_clusters)
    centres = kmeans.cluster_centers_[sizes >= min(settings.minimum_members, sizes.max())]
    unit: NDArray[np.float32] = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _exemplars(
    texts: Sequence[str], is_member: NDArray[np.bool_], similarity: NDArray[np.float32], count: int
) -> list[int]:
    """Return the members nearest the centre, those of a readable length before the others."""
    members = np.flatnonzero(is_member)
    ranked = sorted(
        members.tolist(), key=lambda i: (not 25 <= len(texts[i]) <= 300, -similarity[i], texts[i])
    )
    return ranked[:count]
