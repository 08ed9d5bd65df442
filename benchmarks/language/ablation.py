"""What each part of ours adds: question, words and adapter for readings; adapter and projection for themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import OVER_RUNS, over_runs
from benchmarks.language.readings import HeadParts, Readings
from benchmarks.language.sentiment import labelled, level_rows, read_levels
from benchmarks.language.splits import first_of_each, trust_folds
from benchmarks.language.themes import mutual_information, ours
from benchmarks.language.topics import read_topics, topic_rows
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult, Row, Table, shown

BASE, FULL = "vectors of the encoder as published", "as shipped: and the adapter"


def measure(bench: Workbench) -> PartResult:
    steps: dict[str, Callable[[int], Readings]] = {
        f"{BASE} alone": lambda seed: bench.heads_alone(
            seed, HeadParts(uses_intents=False, uses_words=False)
        ),
        "and the question's intent": lambda seed: bench.heads_alone(seed, HeadParts(uses_words=False)),
        "and the words, and what answers such as 'Nothing' mean": lambda seed: bench.heads_alone(
            seed, HeadParts()
        ),
        FULL: bench.held_out,
    }
    rows: list[tuple[str, ...]] = []
    header: tuple[str, ...] = ()
    found: list[Row] = []
    for name, read in steps.items():
        levels = level_rows(
            bench, {seed: read_levels(bench, read(seed)) for seed in bench.settings.seeds}, {}
        )
        topics = topic_rows(
            bench,
            {seed: read_topics(bench, read(seed).fit.topic_logits, seed) for seed in bench.settings.seeds},
            {},
        )
        found = [*levels, *topics]
        header = ("heads that read", *(row.figure.replace("_", " ") for row in found))
        rows.append((name, *(_cell(row) for row in found)))
    readings = Table(
        "Sentiment and topics, part by part",
        header,
        tuple(rows),
        f"{found[0].how}; {len(labelled(bench))} comments with a level, {found[-1].n} with topics.",
    )
    return PartResult((), (readings, _themes(bench)))


def _cell(row: Row) -> str:
    assert row.ours is not None
    return f"{shown(row.ours.value)} [{shown(row.ours.low)}, {shown(row.ours.high)}]"


def _themes(bench: Workbench) -> Table:
    """Return the agreement with labels on other trusts, by the space that themes are found in."""
    rarest = bench.data.rarest_topic(bench.settings.minimum_examples)
    scores: dict[str, list[float]] = {}
    for case in _cases(bench):
        for name, vectors, readers in case.spaces:
            assigned = ours(case.texts, vectors, readers).assigned
            has_label = rarest[case.rows] >= 0
            scores.setdefault(name, []).append(
                mutual_information(assigned[has_label], rarest[case.rows][has_label])
            )
    rows = []
    for name, values in scores.items():
        value = over_runs(values)
        rows.append((name, f"{shown(value.value)} [{shown(value.low)}, {shown(value.high)}]"))
    return Table(
        "Themes, part by part",
        ("space that themes are found in", "AMI with labels on other trusts"),
        tuple(rows),
        f"As under Themes: the rarest label of each comment; {OVER_RUNS}.",
    )


class _Case:
    def __init__(self, bench: Workbench, fold_of: NDArray[np.int64], fold: int, seed: int) -> None:
        read = bench.other_trusts(seed)
        self.rows = first_of_each(bench.comments.texts, np.flatnonzero(fold_of == fold))
        self.texts = [bench.comments.texts[i] for i in self.rows]
        base, adapted = bench.base_vectors[self.rows], read.fit.vectors[self.rows]
        base_readers = bench.heads_on_other_trusts(seed).readers(fold)
        self.spaces = (
            (BASE, base, None),
            ("and the topic readers", base, base_readers),
            ("adapted vectors alone", adapted, None),
            ("as shipped: adapted vectors and topic readers", adapted, read.readers(fold)),
        )


def _cases(bench: Workbench) -> Iterator[_Case]:
    names, fold_of = trust_folds(bench.data.trusts)
    for seed in bench.settings.seeds:
        for fold in range(len(names)):
            yield _Case(bench, fold_of, fold, seed)
