"""Five levels of sentiment on folds that share no text, and positive against negative on other trusts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import OVER_GROUPS, Value, over_groups
from benchmarks.language import sentiment_peers
from benchmarks.language.readings import Readings
from benchmarks.language.sentiment_peers import LevelPeer
from benchmarks.language.splits import learnable, trust_folds
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult, Row, Table, shown
from patient_feedback.language.measures import CALIBRATION_BINS, calibration_error, level_macro_f1
from patient_feedback.language.sentiment import level_probabilities

MIDDLE = 2
LR, LR_QUESTION = "logistic regression on MiniLM", "logistic regression on MiniLM and question"
MACHINE, MACHINE_QUESTION = "RBF SVM on MiniLM", "RBF SVM on MiniLM and question"
VADER = "VADER"
NOT_INSTALLED = "not installed in this environment"
Probabilities = Mapping[int, NDArray[np.float64]]
"""By seed; of the labelled comments, in order."""


def measure(bench: Workbench) -> PartResult:
    ours = {seed: read_levels(bench, bench.held_out(seed)) for seed in bench.settings.seeds}
    peers: dict[str, Probabilities | str] = {
        name: peer if isinstance(peer, str) else _over_folds(bench, peer)
        for name, peer in _peers(bench).items()
    }
    return PartResult(
        (*level_rows(bench, ours, peers), *_polarity_rows(bench)),
        (_reliability(bench, ours, peers),),
    )


def labelled(bench: Workbench) -> NDArray[np.intp]:
    return np.flatnonzero(bench.comments.levels >= 0)


def read_levels(bench: Workbench, readings: Readings) -> NDArray[np.float64]:
    """Return probabilities of the labelled comments, as the library calibrates them on the other folds."""
    return level_probabilities(readings.fit.level_logits[labelled(bench)])


def level_rows(
    bench: Workbench, ours: Probabilities, peers: Mapping[str, Probabilities | str], prefix: str = "sentiment"
) -> list[Row]:
    """Return accuracy, macro-F1, mean absolute error and calibration error, with the goals."""
    rows = labelled(bench)
    levels = bench.comments.levels[rows]
    groups = [bench.groups[i] for i in rows]

    def figure(read: Callable[[NDArray, NDArray], float], of: Probabilities) -> Value:
        return over_groups(
            lambda seed, drawn: read(levels[drawn], of[seed][drawn]), bench.settings.seeds, groups
        )

    def row(
        name: str, read: Callable[[NDArray, NDArray], float], goal: float, is_lower_better: bool = False
    ) -> Row:
        return Row(
            f"{prefix}_{name}",
            f"{bench.trainings}; temperature chosen on the other folds; {OVER_GROUPS}",
            len(rows),
            figure(read, ours),
            {n: of if isinstance(of, str) else figure(read, of) for n, of in peers.items()},
            goal=goal,
            is_lower_better=is_lower_better,
        )

    found = [
        row("accuracy", lambda truth, p: float(np.mean(p.argmax(axis=1) == truth)), 0.74),
        row("macro_f1", lambda truth, p: level_macro_f1(truth, p.argmax(axis=1)), 0.68),
        row(
            "mean_absolute_error",
            lambda truth, p: float(np.mean(np.abs(p.argmax(axis=1) - truth))),
            0.32,
            True,
        ),
    ]
    with_confidence = {name: of for name, of in peers.items() if name in (LR, LR_QUESTION)}
    calibration = Row(
        f"{prefix}_calibration_error",
        f"{bench.trainings}; mean gap between confidence and share right over ten bins; {OVER_GROUPS}",
        len(rows),
        figure(_calibration, ours),
        {n: of if isinstance(of, str) else figure(_calibration, of) for n, of in with_confidence.items()},
        goal=0.03,
        is_lower_better=True,
    )
    return [*found, calibration]


def _calibration(truth: NDArray, probabilities: NDArray) -> float:
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def _peers(bench: Workbench) -> dict[str, LevelPeer | str]:
    """Return readers of the labelled comments, by name; rows count among those."""
    rows = labelled(bench)
    return level_peers(bench, rows, bench.comments.levels[rows], 5)


def level_peers(
    bench: Workbench, rows: NDArray[np.intp], classes: NDArray[np.int64], class_count: int
) -> dict[str, LevelPeer | str]:
    vectors = bench.base_vectors[rows]
    asked = sentiment_peers.with_question(vectors, [bench.comments.intents[i] for i in rows])
    groups = [bench.groups[i] for i in rows]
    how = (classes, groups, bench.settings.inner_fold_count, bench.settings.threads)
    peers: dict[str, LevelPeer | str] = {
        LR: sentiment_peers.logistic(vectors, *how),
        LR_QUESTION: sentiment_peers.logistic(asked, *how),
        MACHINE: sentiment_peers.kernel_machine(vectors, *how),
        MACHINE_QUESTION: sentiment_peers.kernel_machine(asked, *how),
    }
    try:
        scores = sentiment_peers.vader_scores([bench.comments.texts[i] for i in rows])
        peers[VADER] = sentiment_peers.vader(scores, classes, class_count)
    except ImportError:
        peers[VADER] = NOT_INSTALLED
    return peers


def _over_folds(bench: Workbench, peer: LevelPeer) -> Probabilities:
    """Return the peer's probabilities of every labelled comment, read by a model that did not see its words."""
    rows = labelled(bench)
    groups = [bench.groups[i] for i in rows]
    found = {}
    for seed in bench.settings.seeds:
        folds = bench.folds(seed)[rows]
        probabilities = np.zeros((len(rows), 5))
        for fold in np.unique(folds):
            measured = np.flatnonzero(folds == fold)
            probabilities[measured] = peer(learnable(groups, measured), measured, seed)
        found[seed] = probabilities
    return found


def _polarity_rows(bench: Workbench) -> list[Row]:
    """Positive against negative on each trust, by readers that learnt from the others."""
    levels = bench.comments.levels
    rows = np.flatnonzero((levels >= 0) & (levels != MIDDLE))
    is_positive = (levels[rows] > MIDDLE).astype(np.int64)
    names, fold_of = trust_folds(bench.data.trusts)
    trusts = fold_of[rows]
    right: dict[str, Mapping[int, NDArray[np.bool_]] | str] = {}
    ours = {}
    for seed in bench.settings.seeds:
        logits = bench.other_trusts(seed).fit.level_logits[rows]
        probabilities = level_probabilities(logits)
        above, below = probabilities[:, MIDDLE + 1 :].sum(axis=1), probabilities[:, :MIDDLE].sum(axis=1)
        ours[seed] = (above > below) == is_positive
    for name, peer in level_peers(bench, rows, is_positive, 2).items():
        right[name] = (
            peer if isinstance(peer, str) else _right_on_others(bench, peer, rows, trusts, is_positive)
        )

    def row(figure: str, kept: NDArray[np.bool_], what: str, goal: float | None) -> Row:
        chosen = np.flatnonzero(kept)
        groups = [bench.groups[i] for i in rows[chosen]]

        def share(of: Mapping[int, NDArray[np.bool_]]) -> Value:
            return over_groups(
                lambda seed, drawn: float(np.mean(of[seed][chosen][drawn])), bench.settings.seeds, groups
            )

        return Row(
            figure,
            f"learnt from the other trusts, no comment with the same words among them; {what}; {OVER_GROUPS}",
            len(chosen),
            share(ours),
            {name: of if isinstance(of, str) else share(of) for name, of in right.items()},
            goal=goal,
        )

    everywhere = np.ones(len(rows), bool)
    return [
        row("positive_or_negative_on_other_trusts", everywhere, "all trusts", 0.92),
        *(
            row(f"positive_or_negative_on_{name.lower()}", trusts == fold, f"trust {name} alone", None)
            for fold, name in enumerate(names)
        ),
    ]


def _right_on_others(
    bench: Workbench,
    peer: LevelPeer,
    rows: NDArray[np.intp],
    trusts: NDArray[np.int64],
    is_positive: NDArray[np.int64],
) -> Mapping[int, NDArray[np.bool_]]:
    right = np.zeros(len(trusts), bool)
    groups = [bench.groups[i] for i in rows]
    # These peers draw nothing by chance but their inner folds: one seed stands for all.
    seed = bench.settings.seeds[0]
    for fold in np.unique(trusts):
        measured = np.flatnonzero(trusts == fold)
        found = peer(learnable(groups, measured), measured, seed).argmax(axis=1)
        right[measured] = found == is_positive[measured]
    return dict.fromkeys(bench.settings.seeds, right)


def _reliability(bench: Workbench, ours: Probabilities, peers: Mapping[str, Probabilities | str]) -> Table:
    levels = bench.comments.levels[labelled(bench)]
    names: Sequence[str] = ["ours", *(name for name in (LR, LR_QUESTION) if not isinstance(peers[name], str))]
    curves = {}
    for name in names:
        of = ours if name == "ours" else peers[name]
        assert not isinstance(of, str)
        curves[name] = _curve(of, levels)
    rows = []
    for b in range(CALIBRATION_BINS):
        cells = [f"{b / CALIBRATION_BINS:.1f} to {(b + 1) / CALIBRATION_BINS:.1f}"]
        for name in names:
            share, confidence, right = curves[name][b]
            cells += [f"{share:.1%}", shown(confidence), shown(right)] if share else ["0.0%", "–", "–"]
        rows.append(tuple(cells))
    header = ["confidence"]
    for name in names:
        header += [f"{name}: share of comments", "mean confidence", "share right"]
    return Table(
        "Reliability of the confidence in a level",
        tuple(header),
        tuple(rows),
        "A reader that is 70 % sure should be right in 70 % of cases: the last two columns of each should agree.",
    )


def _curve(of: Probabilities, levels: NDArray[np.int64]) -> list[tuple[float, float, float]]:
    confidence = np.concatenate([p.max(axis=1) for p in of.values()])
    right = np.concatenate([p.argmax(axis=1) == levels for p in of.values()])
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    curve = []
    for b in range(CALIBRATION_BINS):
        inside = bins == b
        if inside.any():
            curve.append(
                (float(inside.mean()), float(confidence[inside].mean()), float(right[inside].mean()))
            )
        else:
            curve.append((0.0, 0.0, 0.0))
    return curve
