"""More comments than the file holds: drawn again, with vectors moved a little, so that none is a copy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

JITTER = 0.25
"""Length of the step by which a unit vector is moved, before it is brought back to unit length."""
HOW = (
    f"comments drawn with replacement, each vector moved by a random step of length {JITTER}, texts numbered"
)


def inflated(
    texts: Sequence[str], vectors: NDArray[np.float32], count: int, seed: int, first_number: int = 0
) -> tuple[list[str], NDArray[np.float32]]:
    """Return `count` distinct texts, numbered from `first_number`, with their unit vectors."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(texts), count)
    steps = random.standard_normal((count, vectors.shape[1]), np.float32)
    steps *= JITTER / np.linalg.norm(steps, axis=1, keepdims=True)
    moved = vectors[chosen] + steps
    return (
        [f"{texts[i]} ({number})" for number, i in enumerate(chosen, first_number)],
        (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32),
    )
