"""From scores to topics found: thresholds of the best F1, chosen on other comments than those measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 50
"""Weight, in comments, of the threshold shared by all topics in the choice of a topic's own."""


def found_topics(
    scores: NDArray[np.float64], truth: NDArray[np.float32], folds: NDArray[np.int64], has_own: bool = True
) -> NDArray[np.bool_]:
    """Return which topics each comment has; the thresholds of a fold are chosen on the other folds.

    `has_own`: each topic gets a threshold of its own, drawn to the shared one where examples are few.
    """
    found = np.zeros(scores.shape, bool)
    for fold in np.unique(folds):
        inside, others = folds == fold, folds != fold
        found[inside] = scores[inside] >= thresholds(scores[others], truth[others], has_own)
    return found


def thresholds(scores: NDArray[np.float64], truth: NDArray[np.float32], has_own: bool) -> NDArray[np.float64]:
    """Return a threshold for each topic."""
    shared = _best(scores.reshape(-1), truth.reshape(-1))
    if not has_own:
        return np.full(scores.shape[1], shared)
    counts = truth.sum(axis=0)
    own = np.array(
        [_best(scores[:, t], truth[:, t]) if counts[t] else shared for t in range(scores.shape[1])]
    )
    return (counts * own + PRIOR * shared) / (counts + PRIOR)


def micro_f1(truth: NDArray[np.float32], found: NDArray[np.bool_]) -> float:
    return float(2.0 * np.sum(truth * found) / max(1.0, float(truth.sum() + found.sum())))


def macro_f1(truth: NDArray[np.float32], found: NDArray[np.bool_]) -> float:
    """Return the unweighted mean over topics."""
    both, either = np.sum(truth * found, axis=0), truth.sum(axis=0) + found.sum(axis=0)
    return float(np.mean(2.0 * both / np.maximum(either, 1)))


def _best(scores: NDArray[np.float64], truth: NDArray[np.float32]) -> float:
    """Return the score from which on calling the topic found gives the best F1."""
    order = np.argsort(-scores, kind="stable")
    right = truth[order].cumsum()
    f1 = 2.0 * right / (np.arange(1, len(order) + 1) + truth.sum())
    return float(scores[order[int(f1.argmax())]])
