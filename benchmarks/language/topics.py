"""Topics of the framework on folds that share no text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import OVER_GROUPS, Value, over_groups
from benchmarks.language.thresholds import found_by_margins, found_by_nearness, macro_f1, micro_f1
from benchmarks.language.topic_peers import PENALTIES, TopicPeer, linear_machine, zero_shot
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult, Row, Table, shown

ZERO_SHOT = "zero-shot by the labels' descriptions"
MACHINE = "linear SVM on MiniLM, TF-IDF and question"
FoundBy = Callable[[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]], NDArray[np.bool_]]
Found = Mapping[int, NDArray[np.bool_]]
"""By seed."""


def measure(bench: Workbench) -> PartResult:
    truth, slugs = measured_topics(bench)
    ours = {
        seed: read_topics(bench, bench.held_out(seed).fit.topic_logits, seed) for seed in bench.settings.seeds
    }
    peers = {
        ZERO_SHOT: _over_folds(
            bench, truth, [zero_shot(bench.base_encoder, bench.base_vectors, slugs)], found_by_nearness
        ),
        MACHINE: _over_folds(
            bench,
            truth,
            [
                linear_machine(bench.comments, bench.base_vectors, truth, penalty, bench.settings.threads)
                for penalty in PENALTIES
            ],
            found_by_margins,
        ),
    }
    return PartResult(tuple(topic_rows(bench, ours, peers)), (_by_topic(truth, slugs, ours, peers),))


def measured_topics(bench: Workbench) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the labels that are measured, shape (comments, topics), and their slugs."""
    kept = bench.data.topic_positions(bench.settings.minimum_examples)
    return bench.comments.topics[:, kept], tuple(bench.comments.topic_slugs[i] for i in kept)


def read_topics(bench: Workbench, scores: NDArray[np.float64], seed: int) -> NDArray[np.bool_]:
    truth, _ = measured_topics(bench)
    return found_by_margins(scores, truth, bench.folds(seed))


def topic_rows(
    bench: Workbench, ours: Found, peers: Mapping[str, Found], prefix: str = "topics"
) -> list[Row]:
    truth, _ = measured_topics(bench)

    def row(name: str, score: Callable[[NDArray, NDArray], float], goal: float) -> Row:
        def figure(of: Found) -> Value:
            return over_groups(
                lambda seed, rows: score(truth[rows], of[seed][rows]), bench.settings.seeds, bench.groups
            )

        return Row(
            f"{prefix}_{name}",
            f"{truth.shape[1]} labels with {bench.settings.minimum_examples} comments or more; "
            f"{bench.trainings}; "
            f"thresholds chosen on the other folds; {OVER_GROUPS}",
            len(truth),
            figure(ours),
            {peer: figure(of) for peer, of in peers.items()},
            goal=goal,
        )

    return [row("micro_f1", micro_f1, 0.77), row("macro_f1", macro_f1, 0.64)]


def _over_folds(
    bench: Workbench, truth: NDArray[np.float32], candidates: list[TopicPeer], found_by: FoundBy
) -> Found:
    """Return what a peer finds; of several candidates, each fold takes the best of the other folds."""
    found: dict[int, NDArray[np.bool_]] = {}
    for seed in bench.settings.seeds:
        folds = bench.folds(seed)
        readings = []
        for candidate in candidates:
            scores = np.zeros(truth.shape)
            for fold in np.unique(folds):
                measured = np.flatnonzero(folds == fold)
                scores[measured] = candidate(np.flatnonzero(folds != fold), measured)
            readings.append(found_by(scores, truth, folds))
        best = np.zeros(truth.shape, bool)
        for fold in np.unique(folds):
            inside, others = folds == fold, folds != fold
            quality = [micro_f1(truth[others], reading[others]) for reading in readings]
            best[inside] = readings[int(np.argmax(quality))][inside]
        found[seed] = best
    return found


def _by_topic(
    truth: NDArray[np.float32], slugs: tuple[str, ...], ours: Found, peers: Mapping[str, Found]
) -> Table:
    def f1(of: Found, topic: int) -> str:
        one = [topic]
        return shown(float(np.mean([micro_f1(truth[:, one], found[:, one]) for found in of.values()])))

    order = np.argsort(-truth.sum(axis=0), kind="stable")
    return Table(
        "F1 of each topic",
        ("topic", "comments", "ours", *peers),
        tuple(
            (
                slugs[topic].replace("_", " "),
                f"{int(truth[:, topic].sum()):,}",
                f1(ours, topic),
                *(f1(of, topic) for of in peers.values()),
            )
            for topic in order
        ),
    )
