"""How far the texts have moved away from the theme set in force, and whether to propose a new fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """From where on a refit is proposed."""

    growth_share: float = 0.20
    unassigned_rise: float = 0.05
    """Of the new texts' unassigned share over that of the fit, if it is also three standard errors."""
    similarity_fall: float = 0.05
    """Of the new texts' mean confidence below that of the fit."""
    minimum_new_texts: int = 50
    """Fewer new texts than this are not judged by share or mean."""
    region_texts: int = 15
    """New texts that lie together make a region from this many on."""
    neighbours: int = 10
    region_new_share: float = 0.8
    """Least share of new texts among a region's neighbours ..."""


STANDARD_ERRORS = 3.0
"""... and this many standard errors more than chance would put there."""


class RefitReason(StrEnum):
    POPULATION_GREW = "population_grew"
    UNASSIGNED_ROSE = "unassigned_share_rose"
    SIMILARITY_FELL = "mean_similarity_fell"
    NEW_REGIONS = "new_dense_regions"


@dataclass(frozen=True, slots=True)
class DriftMeasures:
    """What a run saw; a share or mean is None where there is nothing to take it of."""

    population_growth_share: float
    """How much the texts have grown since the fit: 0.2 is a fifth more."""
    new_text_count: int
    new_unassigned_share: float | None
    new_mean_similarity: float | None
    baseline_unassigned_share: float | None
    """Of the sample, at the fit."""
    baseline_mean_similarity: float | None
    new_region_count: int


def refit_reasons(measures: DriftMeasures, settings: DriftSettings | None = None) -> list[RefitReason]:
    """Return why a new fit should be looked at; empty where the set still fits."""
    settings = settings or DriftSettings()
    reasons = []
    if measures.population_growth_share > settings.growth_share:
        reasons.append(RefitReason.POPULATION_GREW)
    if measures.new_text_count >= settings.minimum_new_texts:
        share, expected = measures.new_unassigned_share, measures.baseline_unassigned_share
        if share is not None and expected is not None:
            error = math.sqrt(max(expected * (1 - expected), 0.0) / measures.new_text_count)
            if share - expected > max(settings.unassigned_rise, STANDARD_ERRORS * error):
                reasons.append(RefitReason.UNASSIGNED_ROSE)
        mean, fitted = measures.new_mean_similarity, measures.baseline_mean_similarity
        if mean is not None and fitted is not None and fitted - mean > settings.similarity_fall:
            reasons.append(RefitReason.SIMILARITY_FELL)
    if measures.new_region_count:
        reasons.append(RefitReason.NEW_REGIONS)
    return reasons


def new_dense_regions(
    new: NDArray[np.floating], earlier: NDArray[np.floating], settings: DriftSettings | None = None
) -> list[list[int]]:
    """Return groups of new texts that lie together where hardly any earlier text lies, largest first.

    `new` and `earlier` are unit vectors of texts far from their theme, in one space; no more new ones
    than earlier ones, else chance finds regions of what there is more of. A text belongs to a region
    where its nearest neighbours are nearly all new, and lie at least as close to it as an earlier
    text's do half of the time. Each group lists positions in `new`, the most typical text first.
    """
    settings = settings or DriftSettings()
    if min(len(new), len(earlier)) < settings.region_texts:
        return []
    near, closeness = _neighbours(new, np.concatenate([new, earlier]), settings.neighbours)
    _, usual = _neighbours(earlier, earlier, settings.neighbours)
    by_chance = len(new) / (len(new) + len(earlier))
    error = math.sqrt(by_chance * (1 - by_chance) / settings.neighbours)
    needed = min(1.0, max(settings.region_new_share, by_chance + STANDARD_ERRORS * error))
    is_inside = ((near < len(new)).mean(axis=1) >= needed) & (closeness >= np.median(usual))
    regions = [
        sorted(region, key=lambda position: (-closeness[position], position))
        for region in _connected(np.flatnonzero(is_inside).tolist(), near)
        if len(region) >= settings.region_texts
    ]
    return sorted(regions, key=lambda region: (-len(region), region[0]))


def _neighbours(
    vectors: NDArray[np.floating], pool: NDArray[np.floating], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the nearest others of each vector in a pool that begins with the vectors, and their mean cosine."""
    similarities = np.asarray(vectors @ pool.T, np.float64)
    itself = np.arange(len(vectors))
    similarities[itself, itself] = -np.inf
    near = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
    return near, np.take_along_axis(similarities, near, axis=1).mean(axis=1)


def _connected(members: Sequence[int], near: NDArray[np.intp]) -> list[list[int]]:
    """Return the members in groups, two of them in one where a chain of neighbours leads from one to the other."""
    group = {member: member for member in members}

    def root(member: int) -> int:
        while group[member] != member:
            group[member] = group[group[member]]
            member = group[member]
        return member

    for member in members:
        for other in near[member].tolist():
            if other in group:
                group[root(other)] = root(member)
    groups: dict[int, list[int]] = {}
    for member in members:
        groups.setdefault(root(member), []).append(member)
    return list(groups.values())
