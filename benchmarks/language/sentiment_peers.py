"""Other readers of sentiment: a lexicon, a linear model and a kernel machine on the same encoder.

Each learns from the training part alone; what it can be set to is chosen within that part, on
inner folds that share no text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.heads import intent_columns
from patient_feedback.language.training import folds_by_group

Candidate = TypeVar("Candidate")
Rows = NDArray[np.intp]
LevelPeer = Callable[[Rows, Rows, int], NDArray[np.float64]]
"""(rows to learn from, rows to read, seed) to probabilities of the classes, shape (rows, classes)."""

PENALTIES = (0.3, 1.0, 3.0, 10.0)
MACHINE_PENALTIES = (1.0, 3.0, 10.0)
WIDTHS = (0.5, 1.0, 2.0)
"""Gamma of the kernel; 1 / variance of these vectors, the usual default, is about 1."""
INTENT_SCALE = 0.5
POLARITY_STEPS = 200


def vader_scores(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return VADER's compound score of each text, -1..1; ImportError where it is not installed."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    by_text = {text: analyzer.polarity_scores(text)["compound"] for text in set(texts)}
    return np.array([by_text[text] for text in texts])


def vader(scores: NDArray[np.float64], classes: NDArray[np.int64], class_count: int) -> LevelPeer:
    """Return a reader that cuts VADER's score where most training comments come out right."""

    def read(learnt: Rows, read_rows: Rows, _seed: int) -> NDArray[np.float64]:
        cuts = best_cuts(scores[learnt], classes[learnt], class_count)
        return np.eye(class_count)[np.searchsorted(cuts, scores[read_rows], side="right")]

    return read


def best_cuts(
    scores: NDArray[np.float64], classes: NDArray[np.int64], class_count: int
) -> NDArray[np.float64]:
    """Return the cut points, in order, under which most scores fall into their own class (exact)."""
    edges = np.linspace(-1.0, 1.0, POLARITY_STEPS + 1)
    bins = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, POLARITY_STEPS - 1)
    counts = np.zeros((class_count, POLARITY_STEPS + 1))
    np.add.at(counts, (classes, bins + 1), 1)
    before = counts.cumsum(axis=1)
    # best[i]: most comments right in the first i bins with the classes so far; the class ends at i.
    best = before[0]
    choices = []
    for later in range(1, class_count):
        gains = best[None, :] - before[later][None, :]
        start = np.array([int(np.argmax(gains[0, : end + 1])) for end in range(POLARITY_STEPS + 1)])
        choices.append(start)
        best = gains[0, start] + before[later]
    cuts, end = [], POLARITY_STEPS
    for start in reversed(choices):
        end = int(start[end])
        cuts.append(edges[end])
    return np.array(cuts[::-1])


def logistic(
    vectors: NDArray[np.float32],
    classes: NDArray[np.int64],
    groups: Sequence[str],
    inner_fold_count: int,
    threads: int,
) -> LevelPeer:
    """Return logistic regression on vectors, its penalty chosen on inner folds."""
    from sklearn.linear_model import LogisticRegression

    class_count = int(classes.max()) + 1

    def fit_and_read(learnt: Rows, read_rows: Rows, penalty: float) -> NDArray[np.float64]:
        model = LogisticRegression(C=penalty, max_iter=1_000).fit(vectors[learnt], classes[learnt])
        probabilities = np.zeros((len(read_rows), class_count))
        probabilities[:, model.classes_] = model.predict_proba(vectors[read_rows])
        return probabilities

    def read(learnt: Rows, read_rows: Rows, seed: int) -> NDArray[np.float64]:
        inner = folds_by_group([groups[i] for i in learnt], inner_fold_count, seed + 1_000)
        penalty = chosen(PENALTIES, fit_and_read, learnt, inner, classes, threads)
        return fit_and_read(learnt, read_rows, penalty)

    return read


def kernel_machine(
    vectors: NDArray[np.float32],
    classes: NDArray[np.int64],
    groups: Sequence[str],
    inner_fold_count: int,
    threads: int,
) -> LevelPeer:
    """Return a support vector machine with a Gaussian kernel, penalty and width chosen on inner folds."""
    from sklearn.svm import SVC

    squared = np.maximum(
        (norms := (vectors**2).sum(axis=1))[:, None] + norms[None, :] - 2.0 * vectors @ vectors.T, 0.0
    )
    class_count = int(classes.max()) + 1

    def fit_and_read(learnt: Rows, read_rows: Rows, settings: tuple[float, float]) -> NDArray[np.float64]:
        penalty, width = settings
        machine = SVC(C=penalty, kernel="precomputed", cache_size=500)
        machine.fit(np.exp(-width * squared[np.ix_(learnt, learnt)]), classes[learnt])
        found = machine.predict(np.exp(-width * squared[np.ix_(read_rows, learnt)]))
        return np.eye(class_count)[found]

    def read(learnt: Rows, read_rows: Rows, seed: int) -> NDArray[np.float64]:
        inner = folds_by_group([groups[i] for i in learnt], inner_fold_count, seed + 1_000)
        settings = chosen(
            list(product(MACHINE_PENALTIES, WIDTHS)), fit_and_read, learnt, inner, classes, threads
        )
        return fit_and_read(learnt, read_rows, settings)

    return read


def chosen(
    candidates: Sequence[Candidate],
    fit_and_read: Callable[[Rows, Rows, Candidate], NDArray[np.float64]],
    learnt: Rows,
    inner: NDArray[np.int64],
    classes: NDArray[np.int64],
    threads: int,
) -> Candidate:
    """Return the candidate that reads most of the training part right, each inner fold by the others."""

    def right(candidate: Candidate) -> int:
        found = 0
        for fold in np.unique(inner):
            measured = learnt[inner == fold]
            if len(np.unique(classes[learnt[inner != fold]])) > 1:
                read = fit_and_read(learnt[inner != fold], measured, candidate).argmax(axis=1)
                found += int((read == classes[measured]).sum())
        return found

    with ThreadPoolExecutor(threads) as pool:
        scores = list(pool.map(right, candidates))
    return candidates[int(np.argmax(scores))]


def with_question(vectors: NDArray[np.float32], intents: Sequence[str]) -> NDArray[np.float32]:
    """Return vectors beside what was asked, so that a peer knows what ours knows."""
    return np.hstack([vectors, INTENT_SCALE * intent_columns(intents)]).astype(np.float32)
