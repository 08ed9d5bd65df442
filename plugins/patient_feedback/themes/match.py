"""New themes to those of the previous set, so that a theme keeps its name in every link and report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMUM_SIMILARITY = 0.80
"""Cosine similarity of two centres from which on they are taken for one theme."""


@dataclass(frozen=True, slots=True)
class ThemeMatch:
    new_index: int
    previous_index: int | None
    """None: a theme that was not there before."""
    similarity: float | None
    """Cosine similarity to the matched theme; None where there is none."""


def match_themes(
    new: NDArray[np.float32], previous: NDArray[np.float32], minimum_similarity: float = MINIMUM_SIMILARITY
) -> list[ThemeMatch]:
    """Return one match for each new theme, in order; each previous theme is used at most once.

    `new` and `previous` hold unit centres, shape (themes, dimensions). The pairing has the largest
    sum of similarities (Hungarian method) among pairs of at least `minimum_similarity`.
    """
    from scipy.optimize import linear_sum_assignment

    partners: dict[int, int] = {}
    similarities = np.zeros((len(new), len(previous)), np.float64)
    if len(new) and len(previous):
        similarities = np.asarray(new, np.float64) @ np.asarray(previous, np.float64).T
        gains = np.where(similarities >= minimum_similarity, similarities, 0.0)
        rows, columns = linear_sum_assignment(gains, maximize=True)
        partners = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if gains[r, c] > 0.0}
    return [
        ThemeMatch(i, partners.get(i), float(similarities[i, partners[i]]) if i in partners else None)
        for i in range(len(new))
    ]
