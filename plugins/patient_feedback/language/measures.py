"""How good a head is, with 95 % intervals over groups of comments (bootstrap, seeded)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 200
SEED = 7
CALIBRATION_BINS = 10

Figure = dict[str, float]


def level_figures(
    levels: NDArray[np.int64], probabilities: NDArray[np.float64], groups: Sequence[str]
) -> dict[str, Any]:
    """Return accuracy, macro-F1, mean absolute error (levels) and calibration error of the five levels."""
    read = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    return {
        "accuracy": with_interval(lambda i: float(np.mean(read[i] == levels[i])), groups),
        "macro_f1": with_interval(lambda i: level_macro_f1(levels[i], read[i]), groups),
        "mean_absolute_error": with_interval(lambda i: float(np.mean(np.abs(read[i] - levels[i]))), groups),
        "positive_versus_negative_accuracy": with_interval(
            lambda i: _polarity_accuracy(levels[i], probabilities[i]), groups
        ),
        "calibration_error": with_interval(
            lambda i: calibration_error(confidence[i], read[i] == levels[i]), groups
        ),
    }


def topic_figures(
    truth: NDArray[np.float32], found: NDArray[np.float32], slugs: Sequence[str], groups: Sequence[str]
) -> dict[str, Any]:
    """Return micro- and macro-F1 over the topics, and the F1 of each."""
    per_topic = _f1(truth, found, axis=0)
    return {
        "micro_f1": with_interval(lambda i: float(_f1(truth[i], found[i], axis=None)), groups),
        "macro_f1": with_interval(lambda i: float(np.mean(_f1(truth[i], found[i], axis=0))), groups),
        "per_topic_f1": {slug: round(float(f1), 3) for slug, f1 in zip(slugs, per_topic, strict=True)},
    }


def with_interval(figure: Callable[[NDArray[np.intp]], float], groups: Sequence[str]) -> Figure:
    """Return {value, low, high}; whole groups are drawn again, since their comments are alike."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    random = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(members), len(members))
        drawn.append(figure(np.concatenate([members[g] for g in chosen])))
    low, high = np.quantile(drawn, [0.025, 0.975])
    everything = np.arange(len(group_of))
    return {"value": round(figure(everything), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def level_macro_f1(levels: NDArray[np.int64], read: NDArray[np.int64]) -> float:
    """Return the unweighted mean of the F1 of the levels that occur."""
    present = np.unique(levels)
    return float(np.mean([_f1(levels == level, read == level, axis=None) for level in present]))


def calibration_error(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Return the mean gap between confidence and share of right readings, over ten bins, weighted by size."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(float(np.sum(confidence[bins == b] - is_right[bins == b]))) for b in range(CALIBRATION_BINS)]
    return float(sum(gaps) / len(confidence))


def _polarity_accuracy(levels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Share of the comments called positive or negative by people whose side the head gets right."""
    middle = probabilities.shape[1] // 2
    polar = levels != middle
    reads_positive = probabilities[:, middle + 1 :].sum(axis=1) > probabilities[:, :middle].sum(axis=1)
    return float(np.mean(reads_positive[polar] == (levels[polar] > middle)))


def _f1(truth: NDArray[Any], found: NDArray[Any], axis: int | None) -> NDArray[np.float64]:
    both = np.sum(np.logical_and(truth, found), axis=axis)
    either = np.sum(truth, axis=axis) + np.sum(found, axis=axis)
    result: NDArray[np.float64] = 2.0 * both / np.maximum(either, 1)
    return result
