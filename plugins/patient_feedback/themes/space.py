"""The space in which themes are told apart: a fixed linear map of the stored vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ThemeSpace:
    """Vectors of a text, followed by how strongly each of the encoder's readers answers to it.

    Without readers the space is that of the vectors themselves.
    """

    projection: NDArray[np.float32]
    """Readers, shape (dimensions, readers); no columns where the encoder has none."""
    offset: NDArray[np.float32]
    """Added to the readings, shape (readers,)."""

    @property
    def dimensions(self) -> int:
        return sum(self.projection.shape)

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unit vectors of the space, shape (texts, dimensions + readers)."""
        vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
        if not self.projection.shape[1]:
            return vectors
        placed = np.concatenate([vectors, vectors @ self.projection + self.offset], axis=1)
        unit: NDArray[np.float32] = placed / np.linalg.norm(placed, axis=1, keepdims=True)
        return unit


def plain_space(dimensions: int) -> ThemeSpace:
    """Return the space of the vectors themselves."""
    return ThemeSpace(np.zeros((dimensions, 0), np.float32), np.zeros(0, np.float32))
