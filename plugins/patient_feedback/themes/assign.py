"""Comments to themes: the nearest centre and the nearest finer one within it, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.content import is_contentless
from patient_feedback.themes.space import ThemeSpace, plain_space

UNASSIGNED = -1
CONFIDENCE_DIGITS = 4
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
    """For each theme its subthemes' unit vectors of the space; none where a theme is not divided."""

    @classmethod
    def plain(cls, centroids: NDArray[np.float32], threshold: float) -> ThemeCentres:
        """Return centres in the space of the vectors themselves, without subthemes."""
        dimensions = centroids.shape[1] if centroids.ndim == 2 else 0
        empty = np.zeros((0, dimensions), np.float32)
        return cls(plain_space(dimensions), centroids, threshold, (empty,) * len(centroids))

    def to_bytes(self) -> bytes:
        """Return the centres as safetensors."""
        from safetensors.numpy import save

        counts = [len(one) for one in self.subtheme_centroids]
        finer = np.concatenate([*self.subtheme_centroids, np.zeros((0, self.space.dimensions), np.float32)])
        tensors = {
            "centroids": self.centroids,
            "offset": self.space.offset,
            "projection": self.space.projection,
            "subtheme_centroids": finer,
            "subtheme_counts": np.array(counts, np.int64),
            "threshold": np.array([self.threshold], np.float64),
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
        )


@dataclass(frozen=True, slots=True)
class ThemeAssignments:
    """One entry a text."""

    themes: NDArray[np.int64]
    """Position among the themes, or -1."""
    confidences: NDArray[np.float32]
    """0..1: cosine similarity to the theme's centre; 0 where the text names no subject."""
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
        vectors = centres.space.project(embeddings[part])
        has_subject = np.array([not is_contentless(text) for text in texts[part]], dtype=bool)
        similarities = _similarities(vectors, centres.centroids)
        confidence = np.where(has_subject, np.clip(similarities.max(axis=1), 0.0, 1.0), 0.0)
        nearest = np.where(
            has_subject & (confidence >= centres.threshold), similarities.argmax(axis=1), UNASSIGNED
        )
        themes[part], confidences[part] = nearest, confidence
        for theme, finer in enumerate(centres.subtheme_centroids):
            members = np.flatnonzero(nearest == theme)
            if len(finer) and len(members):
                subthemes[start + members] = _similarities(vectors[members], finer).argmax(axis=1)
    return ThemeAssignments(themes, confidences, subthemes)


def _similarities(vectors: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return cosine similarities, in double precision and rounded.

    A confidence must not depend on how many texts are read at once.
    """
    exact: NDArray[np.float64] = np.asarray(vectors, np.float64) @ np.asarray(centroids, np.float64).T
    return np.round(exact, CONFIDENCE_DIGITS)
