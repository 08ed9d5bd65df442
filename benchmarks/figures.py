"""Figures with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.measures import with_interval

RESAMPLES = 1_000
FEWEST_RUNS = 5
OVER_GROUPS = "95 % bootstrap over groups of comments with the same words"
OVER_RUNS = "95 % bootstrap over runs, of fewer than five the smallest and the largest"
OVER_REPEATS = "median of repeats, with the smallest and the largest"


@dataclass(frozen=True, slots=True)
class Value:
    value: float
    low: float
    high: float


def over_groups(
    figure: Callable[[int, NDArray[np.intp]], float], seeds: Sequence[int], groups: Sequence[str]
) -> Value:
    """Return the mean over seeds of `figure(seed, rows)`; whole groups of rows are drawn again."""
    found = with_interval(lambda rows: float(np.mean([figure(seed, rows) for seed in seeds])), groups)
    return Value(found["value"], found["low"], found["high"])


def over_runs(values: Sequence[float]) -> Value:
    """Return the mean of one figure of several runs (seeds, folds), which are drawn again where there are enough."""
    runs = np.asarray(values, np.float64)
    if len(runs) < FEWEST_RUNS:
        return Value(float(runs.mean()), float(runs.min()), float(runs.max()))
    draw = np.random.default_rng(7).integers(0, len(runs), (RESAMPLES, len(runs)))
    low, high = np.quantile(runs[draw].mean(axis=1), [0.025, 0.975])
    return Value(float(runs.mean()), float(low), float(high))


def over_repeats(values: Sequence[float]) -> Value:
    """Return the median of repeated timings, with the smallest and the largest."""
    return Value(float(np.median(values)), float(min(values)), float(max(values)))
