"""Comments to themes: the nearest centre, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.content import is_contentless

UNASSIGNED = -1
CONFIDENCE_DIGITS = 4


def assign_themes(
    texts: Sequence[str],
    embeddings: NDArray[np.float32],
    centroids: NDArray[np.float32],
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return (theme of each text as a position in `centroids`, or -1; confidence 0..1).

    Confidence is the cosine similarity to the nearest centre. A text is unassigned (-1) where that
    is below `threshold`, and with confidence 0 where the text names no subject ("Nothing.", "N/A").
    `embeddings` (texts, dimensions) and `centroids` (themes, dimensions) are unit vectors. Memory
    grows with texts times themes: give large sets in parts.
    """
    if len(texts) != len(embeddings):
        raise ValueError(f"{len(texts)} texts but {len(embeddings)} vectors: give one vector for each text.")
    if len(centroids) == 0:
        return np.full(len(texts), UNASSIGNED, np.int64), np.zeros(len(texts), np.float32)
    # In double precision and rounded: a confidence must not depend on how many texts are read at once.
    similarities = np.round(
        np.asarray(embeddings, np.float64) @ np.asarray(centroids, np.float64).T, CONFIDENCE_DIGITS
    )
    has_subject = np.array([not is_contentless(text) for text in texts], dtype=bool)
    confidence = np.where(has_subject, np.clip(similarities.max(axis=1, initial=-1.0), 0.0, 1.0), 0.0)
    themes = np.where(has_subject & (confidence >= threshold), similarities.argmax(axis=1), UNASSIGNED)
    return themes.astype(np.int64), confidence.astype(np.float32)
