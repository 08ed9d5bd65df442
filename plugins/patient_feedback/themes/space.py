"""The space in which themes are told apart: a fixed map of the stored vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VECTOR_WEIGHT = 0.5
"""Length of the stored vector beside the readings. With .3 to 1 themes agree as well with labels."""


@dataclass(frozen=True, slots=True)
class ThemeSpace:
    """The vector of a text beside how strongly each topic reader of its encoder answers to it.

    Readings pull together what speaks of one subject in different words; the vector leaves room for
    subjects that no reader knows. Without readers the space is that of the vectors. It depends on
    the encoder and its readers alone, so centres of two fits can be compared.
    """

    projection: NDArray[np.float32]
    """Linear readers, shape (dimensions, readers); no columns where there are none."""
    offset: NDArray[np.float32]
    """Their constant part, shape (readers,)."""

    @property
    def has_readers(self) -> bool:
        return self.projection.shape[1] > 0

    @property
    def dimensions(self) -> int:
        return sum(self.projection.shape)

    def read(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each topic, shape (texts, readers)."""
        logits = embeddings.astype(np.float64, copy=False) @ self.projection.astype(np.float64) + self.offset
        probabilities: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
        return probabilities

    def project(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return unit vectors of the space, shape (texts, dimensions + readers).

        In double precision: where a text lies must not depend on how many are placed at once.
        """
        return self.place(embeddings, self.read(embeddings))

    def place(self, embeddings: NDArray[np.floating], readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same where `read` was asked already."""
        if not self.has_readers:
            return embeddings.astype(np.float64)
        placed = np.empty((len(embeddings), self.dimensions))
        own = placed[:, : embeddings.shape[1]]
        np.multiply(embeddings, VECTOR_WEIGHT, out=own, dtype=np.float64)
        # Square roots: the distance of two texts is then that of their distributions (Hellinger).
        np.sqrt(readings, out=placed[:, embeddings.shape[1] :])
        return unit(placed, out=placed)


def theme_space(
    dimensions: int,
    topic_weights: NDArray[np.float32] | None = None,
    topic_offsets: NDArray[np.float32] | None = None,
) -> ThemeSpace:
    """Return the space of an encoder with these readers, or with none. Raises ValueError on other shapes."""
    weights = np.zeros((dimensions, 0), np.float32) if topic_weights is None else topic_weights
    offsets = np.zeros(weights.shape[-1], np.float32) if topic_offsets is None else topic_offsets
    if weights.ndim != 2 or weights.shape[0] != dimensions or offsets.shape != weights.shape[1:]:
        raise ValueError(
            f"Readers of shape {weights.shape} with offsets of shape {offsets.shape} do not fit vectors of "
            f"{dimensions} numbers: give the readers of the encoder that made the vectors."
        )
    return ThemeSpace(weights.astype(np.float32), offsets.astype(np.float32))


def unit(vectors: NDArray[np.float64], out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return each row at length 1; a row of zeros stays."""
    lengths = np.sqrt(np.vecdot(vectors, vectors))[:, None]
    scaled: NDArray[np.float64] = np.divide(vectors, np.where(lengths > 0.0, lengths, 1.0), out=out)
    return scaled
