"""Comments to themes: the nearest centre and the nearest finer one within it, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.content import is_contentless
from patient_feedback.themes.space import ThemeSpace, theme_space

UNASSIGNED = -1
CONFIDENCE_DIGITS = 4
SIMILARITY_DIGITS = 6
SHARPNESS_WITH_READERS = 12.0
"""How fast confidence grows with similarity: with this it is about the share of texts whose human labels
hold the theme's topic."""
SHARPNESS_WITHOUT_READERS = 24.0
CHUNK = 8_192
"""Texts whose similarities are in memory at once."""


@dataclass(frozen=True, slots=True)
class ThemeCentres:
    """All that an assignment needs of a theme set; `to_bytes` keeps it exactly."""

    space: ThemeSpace
    centroids: NDArray[np.float32]
    """Unit vectors of the space, shape (themes, space.dimensions)."""
    threshold: float
    """Confidence below which a comment is unassigned."""
    subtheme_centroids: tuple[NDArray[np.float32], ...]
    """For each theme its subthemes' unit vectors beside the stored ones; none where it is not divided."""
    floor: float = 0.0
    """Cosine similarity to a centre that a text about none of the themes may well have."""

    @classmethod
    def plain(cls, centroids: NDArray[np.float32], threshold: float) -> ThemeCentres:
        """Return centres in the space of the vectors themselves, without subthemes."""
        dimensions = centroids.shape[1] if centroids.ndim == 2 else 0
        empty = np.zeros((0, dimensions), np.float32)
        return cls(theme_space(dimensions), centroids, threshold, (empty,) * len(centroids))

    def to_bytes(self) -> bytes:
        """Return the centres as safetensors."""
        from safetensors.numpy import save

        counts = [len(one) for one in self.subtheme_centroids]
        finer = np.concatenate(
            [*self.subtheme_centroids, np.zeros((0, len(self.space.projection)), np.float32)]
        )
        tensors = {
            "centroids": self.centroids,
            "offset": self.space.offset,
            "projection": self.space.projection,
            "subtheme_centroids": finer,
            "subtheme_counts": np.array(counts, np.int64),
            "threshold": np.array([self.threshold, self.floor], np.float64),
        }
        return save({name: np.ascontiguousarray(values) for name, values in tensors.items()})

    @classmethod
    def from_bytes(cls, stored: bytes) -> ThemeCentres:
        """Return the centres that `to_bytes` kept."""
        from safetensors.numpy import load

        tensors = load(stored)
        ends = np.cumsum(tensors["subtheme_counts"])[:-1]
        has_themes = len(tensors["subtheme_counts"]) > 0
        return cls(
            ThemeSpace(tensors["projection"], tensors["offset"]),
            tensors["centroids"],
            float(tensors["threshold"][0]),
            tuple(np.split(tensors["subtheme_centroids"], ends)) if has_themes else (),
            float(tensors["threshold"][1]),
        )


@dataclass(frozen=True, slots=True)
class ThemeAssignments:
    """One entry a text."""

    themes: NDArray[np.int64]
    """Position among the themes, or -1."""
    confidences: NDArray[np.float32]
    """0..1: how probable the nearest theme is against all others and against none of them; 0 where the
    text names no subject."""
    subthemes: NDArray[np.int64]
    """Position among the theme's subthemes, or -1."""


def assign_themes(
    texts: Sequence[str], embeddings: NDArray[np.float32], centres: ThemeCentres
) -> ThemeAssignments:
    """Return the nearest theme of each redacted text, and the nearest subtheme within it.

    A text is unassigned where its confidence is below the threshold, and where it names no subject
    ("Nothing.", "N/A"). `embeddings` has shape (texts, dimensions), unit length.
    """
    if len(texts) != len(embeddings):
        raise ValueError(f"{len(texts)} texts but {len(embeddings)} vectors: give one vector for each text.")
    themes = np.full(len(texts), UNASSIGNED, np.int64)
    confidences = np.zeros(len(texts), np.float32)
    subthemes = np.full(len(texts), UNASSIGNED, np.int64)
    if len(centres.centroids) == 0:
        return ThemeAssignments(themes, confidences, subthemes)
    for start in range(0, len(texts), CHUNK):
        part = slice(start, start + CHUNK)
        vectors = embeddings[part].astype(np.float64)
        has_subject = np.array([not is_contentless(text) for text in texts[part]], dtype=bool)
        similarities = similarities_to(centres.centroids, centres.space.project(vectors))
        nearest = similarities.argmax(axis=1)
        confidence = confidences_of(similarities, centres.floor, has_readers=centres.space.has_readers)
        confidence[~has_subject] = 0.0
        nearest[~has_subject | (confidence < centres.threshold)] = UNASSIGNED
        themes[part], confidences[part] = nearest, confidence
        for theme, finer in enumerate(centres.subtheme_centroids):
            members = np.flatnonzero(nearest == theme)
            if len(finer) and len(members):
                subthemes[start + members] = similarities_to(finer, vectors[members]).argmax(axis=1)
    return ThemeAssignments(themes, confidences, subthemes)


def similarities_to(centroids: NDArray[np.float32], placed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine similarity of each text to each centre, shape (texts, themes).

    In double precision and rounded: it must not depend on how many texts are read at once.
    """
    similarities: NDArray[np.float64] = np.round(placed @ centroids.astype(np.float64).T, SIMILARITY_DIGITS)
    return similarities


def confidences_of(
    similarities: NDArray[np.float64], floor: float, *, has_readers: bool
) -> NDArray[np.float64]:
    """Return the confidence of each text in its nearest theme.

    It is the weight of that theme among all themes and the alternative "about none", which stands at
    the floor; each weighs the exponential of its similarity.
    """
    sharpness = SHARPNESS_WITH_READERS if has_readers else SHARPNESS_WITHOUT_READERS
    best = similarities.max(axis=1)
    rest = np.exp(sharpness * (similarities - best[:, None])).sum(axis=1)
    none = np.exp(np.clip(sharpness * (floor - best), None, 60.0))
    confidences: NDArray[np.float64] = np.round(1.0 / (rest + none), CONFIDENCE_DIGITS)
    return confidences
