"""Groups in a sample of vectors, found without chance: the same vectors always give the same groups."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from itertools import count

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.space import unit

CLEAR_READING = 0.4
"""A text speaks clearly of its first topic from this probability on."""
REGION_SAMPLE = 4_000
"""Texts far from every anchor that are compared with each other, at most."""
SPLIT_DIMENSIONS = 20
SPLIT_ROUNDS = 20


def anchored_groups(
    readings: NDArray[np.float64], minimum: int, kept: Collection[int] = (), kept_minimum: int = 0
) -> dict[int, NDArray[np.intp]]:
    """Return the texts whose first topic is clear, for each topic that has `minimum` of them.

    For the topics that are `kept`, `kept_minimum` is enough.
    """
    if not readings.shape[1]:
        return {}
    first = readings.argmax(axis=1)
    is_clear = readings.max(axis=1) >= CLEAR_READING
    sizes = np.bincount(first[is_clear], minlength=readings.shape[1])
    minima = np.full(len(sizes), minimum)
    minima[list(kept)] = min(minimum, kept_minimum)
    return {
        int(topic): np.flatnonzero(is_clear & (first == topic)) for topic in np.flatnonzero(sizes >= minima)
    }


def cohesion(vectors: NDArray[np.float64]) -> float:
    """Return the mean cosine similarity of two of these unit vectors."""
    mean = vectors.mean(axis=0)
    return float(mean @ mean)


def dense_regions(vectors: NDArray[np.float64], likeness: float, minimum: int) -> list[NDArray[np.intp]]:
    """Return groups of at least `minimum` texts around one text each, densest first, without overlap.

    A group holds the texts whose cosine similarity to its middle is `likeness` or more. Of more than
    `REGION_SAMPLE` vectors evenly spaced ones are looked at, and `minimum` shrinks with them.
    """
    step = -(-len(vectors) // REGION_SAMPLE) or 1
    chosen = np.arange(0, len(vectors), step)
    enough = max(1, minimum // step)
    is_near = np.round(vectors[chosen] @ vectors[chosen].T, 6) >= likeness
    is_free = np.ones(len(chosen), bool)
    regions: list[NDArray[np.intp]] = []
    while len(chosen):
        neighbours = is_near[:, is_free].sum(axis=1) * is_free
        middle = int(neighbours.argmax())
        if neighbours[middle] < enough:
            break
        members = np.flatnonzero(is_near[middle] & is_free)
        is_free[members] = False
        regions.append(chosen[members])
    return regions


def divide(
    vectors: NDArray[np.float64],
    minimum: int,
    maximum: int,
    reproduced: float,
    largest: int | None = None,
) -> NDArray[np.intp]:
    """Return the group 0.. of each vector: halves of halves, while a division can be found again.

    A division counts where both parts have `minimum` members, and where every second vector alone,
    and the others alone, divide at least the share `reproduced` of all of them alike (prediction
    strength). A group of more than `largest` is divided without that proof. The division that
    explains most variance comes first; at most `maximum` groups come out.
    """
    groups = np.zeros(len(vectors), np.intp)
    if len(vectors) < 2 * minimum or maximum < 2:
        return groups
    placed = _longest_axes(vectors)
    numbers = count()
    open_splits: list[tuple[float, int, NDArray[np.intp], NDArray[np.bool_]]] = []

    def propose(members: NDArray[np.intp]) -> None:
        is_too_large = largest is not None and len(members) > largest
        split = _division(placed[members], minimum, 0.0 if is_too_large else reproduced)
        if split is not None:
            heapq.heappush(open_splits, (-split[0], next(numbers), members, split[1]))

    propose(np.arange(len(vectors)))
    group_count = 1
    while open_splits and group_count < maximum:
        _, _, members, is_second = heapq.heappop(open_splits)
        groups[members[is_second]] = group_count
        group_count += 1
        propose(members[~is_second])
        propose(members[is_second])
    return groups


def centres_of(vectors: NDArray[np.float64], groups: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Return the unit mean of each group, shape (groups, dimensions)."""
    means = [vectors[members].mean(axis=0) for members in groups]
    return unit(np.array(means).reshape(len(groups), vectors.shape[1]))


def _longest_axes(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import eigh

    centred = vectors - vectors.mean(axis=0)
    dimensions = vectors.shape[1]
    wanted = (max(0, dimensions - SPLIT_DIMENSIONS), dimensions - 1)
    _, axes = eigh(centred.T @ centred, subset_by_index=wanted)
    placed: NDArray[np.float64] = centred @ axes
    return placed


def _division(
    vectors: NDArray[np.float64], minimum: int, reproduced: float
) -> tuple[float, NDArray[np.bool_]] | None:
    """Return (variance explained, which vectors are in the second part), or None where it is one group."""
    if len(vectors) < 2 * minimum:
        return None
    middles = _two_middles(vectors)
    is_second = _is_nearer_second(vectors, middles)
    sizes = int((~is_second).sum()), int(is_second.sum())
    if min(sizes) < minimum:
        return None
    for half in (vectors[::2], vectors[1::2]):
        agreement = float((_is_nearer_second(vectors, _two_middles(half)) == is_second).mean())
        if max(agreement, 1.0 - agreement) < reproduced:
            return None
    apart = vectors[is_second].mean(axis=0) - vectors[~is_second].mean(axis=0)
    return sizes[0] * sizes[1] / len(vectors) * float(apart @ apart), is_second


def _two_middles(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middles of two parts (2-means), starting from the halves along the longest axis."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    is_second = centred @ axes[:, -1] > 0.0
    for _ in range(SPLIT_ROUNDS):
        if not 0 < is_second.sum() < len(vectors):
            break
        middles = np.array([vectors[~is_second].mean(axis=0), vectors[is_second].mean(axis=0)])
        moved = _is_nearer_second(vectors, middles)
        if np.array_equal(moved, is_second):
            return middles
        is_second = moved
    if not 0 < is_second.sum() < len(vectors):
        return np.array([vectors.mean(axis=0)] * 2)
    return np.array([vectors[~is_second].mean(axis=0), vectors[is_second].mean(axis=0)])


def _is_nearer_second(vectors: NDArray[np.float64], middles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which vectors lie nearer to the second of two middles."""
    apart = middles[1] - middles[0]
    nearer: NDArray[np.bool_] = np.round((vectors - middles.mean(axis=0)) @ apart, 9) > 0.0
    return nearer
