"""From scores to topics found: thresholds of the best F1, chosen on other comments than those measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.topics import topic_probabilities
from patient_feedback.language.training import margin_scale, topic_thresholds


def found_by_margins(
    margins: NDArray[np.float64], truth: NDArray[np.float32], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which topics each comment has, by thresholds for each topic, as the library chooses them.

    Scale and thresholds of a fold are chosen on the other folds.
    """
    found = np.zeros(margins.shape, bool)
    for fold in np.unique(folds):
        inside, others = folds == fold, folds != fold
        slope, offset = margin_scale(margins[others], truth[others])
        thresholds = topic_thresholds(topic_probabilities(margins[others], slope, offset), truth[others])
        found[inside] = topic_probabilities(margins[inside], slope, offset) >= thresholds
    return found


def found_by_nearness(
    scores: NDArray[np.float64], truth: NDArray[np.float32], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which topics each comment has, by one threshold for all topics, chosen on the other folds."""
    found = np.zeros(scores.shape, bool)
    for fold in np.unique(folds):
        inside, others = folds == fold, folds != fold
        found[inside] = scores[inside] >= _best(scores[others].reshape(-1), truth[others].reshape(-1))
    return found


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
