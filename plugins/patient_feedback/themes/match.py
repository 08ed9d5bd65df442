"""New themes to those of the previous set, so that a theme keeps its name in every link and report.

Two sets are compared by the texts that both of them read: that says what a theme holds, whatever
space its centre lies in. Centres decide only about a theme of which too few such texts are known,
and only where the two sets share one space; between two spaces a cosine means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMUM_SHARED_MEMBERS = 5
"""Texts of a previous theme that both sets read, from which on they decide what became of it."""
MINIMUM_OVERLAP = 0.30
"""Jaccard index of members from which on two themes are taken for one. A theme that is cut into halves scores
1/2, one that is cut into halves and grows by half again 1/3: the larger part goes on under the name."""
MINIMUM_SIMILARITY = 0.80
"""Cosine similarity of two centres from which on they are taken for one theme, where centres decide."""
SIMILARITY_WEIGHT = 0.1
"""How much nearness of centres adds to the overlap of members: it decides between near equals."""


@dataclass(frozen=True, slots=True)
class SharedMembers:
    """How the texts that both sets read are spread over their themes."""

    counts: NDArray[np.int64]
    """Texts in both, shape (previous themes, new themes)."""
    previous_totals: NDArray[np.int64]
    """Such texts in each previous theme, those that are unassigned now among them."""
    new_totals: NDArray[np.int64]
    """Such texts in each new theme, those that were unassigned before among them."""

    def overlaps(self) -> NDArray[np.float64]:
        """Return the Jaccard index of each pair."""
        union = self.previous_totals[:, None] + self.new_totals[None, :] - self.counts
        return self.counts / np.maximum(union, 1)

    def shares(self) -> NDArray[np.float64]:
        """Return the share of each previous theme's texts that lie in each new one."""
        return self.counts / np.maximum(self.previous_totals, 1)[:, None]


@dataclass(frozen=True, slots=True)
class ThemeMatch:
    new_index: int
    previous_index: int | None
    """None: a theme that was not there before."""


def shared_members(
    previous_of: NDArray[np.integer], new_of: NDArray[np.integer], previous_count: int, new_count: int
) -> SharedMembers:
    """Count the texts that both sets read by their theme in either; -1 stands for unassigned.

    `previous_of` and `new_of` have one entry for each text that both sets read, in one order.
    """
    counts = np.zeros((previous_count + 1, new_count + 1), np.int64)
    np.add.at(
        counts, (np.asarray(previous_of, np.intp), np.asarray(new_of, np.intp)), 1
    )  # -1 is the last row or column
    return SharedMembers(counts[:-1, :-1], counts[:-1].sum(axis=1), counts[:, :-1].sum(axis=0))


def match_themes(
    shared: SharedMembers,
    similarities: NDArray[np.float64] | None = None,
    previous_parents: Sequence[int] | None = None,
    new_parents: Sequence[int] | None = None,
) -> list[ThemeMatch]:
    """Return one match for each new theme, in order; each previous theme is used at most once.

    The pairing has the largest sum of gains (Hungarian method). `similarities` holds the cosines of
    the centres, shape (previous, new); None where the sets lie in different spaces. For subthemes
    give the parents of both sides, a previous parent under the index of the new theme that goes on
    from it, or -1: pairs within one parent are made first, then those of what is left.
    """
    gains = _gains(shared, similarities)
    partners: dict[int, int] = {}
    if previous_parents is not None and new_parents is not None:
        is_at_home = np.equal.outer(np.asarray(previous_parents), np.asarray(new_parents))
        partners = _paired(np.where(is_at_home, gains, 0.0))
        gains[list(partners.values())] = 0.0
        gains[:, list(partners)] = 0.0
    partners |= _paired(gains)
    return [ThemeMatch(new, partners.get(new)) for new in range(gains.shape[1])]


def _gains(shared: SharedMembers, similarities: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return what each pair is worth; 0 where it must not be made."""
    overlaps = shared.overlaps()
    nearness = np.zeros_like(overlaps) if similarities is None else np.clip(similarities, 0.0, 1.0)
    by_members = np.where(overlaps >= MINIMUM_OVERLAP, overlaps + SIMILARITY_WEIGHT * nearness, 0.0)
    by_centres = np.where(nearness >= MINIMUM_SIMILARITY, SIMILARITY_WEIGHT * nearness, 0.0)
    is_known = shared.previous_totals >= MINIMUM_SHARED_MEMBERS
    gains: NDArray[np.float64] = np.where(is_known[:, None], by_members, by_centres)
    return gains


def _paired(gains: NDArray[np.float64]) -> dict[int, int]:
    """Return the previous index of each new index that has one."""
    from scipy.optimize import linear_sum_assignment

    if not gains.size:
        return {}
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if gains[old, new] > 0.0}
