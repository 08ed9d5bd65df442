"""How long themes take, embeddings given: against BERTopic, and up to a million streamed comments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import OVER_REPEATS, Value, over_repeats
from benchmarks.language import theme_peers
from benchmarks.language.inflated import HOW
from benchmarks.language.splits import first_of_each
from benchmarks.language.streaming import Material
from benchmarks.language.theme_peers import BERTOPIC, UMAP_KMEANS
from benchmarks.language.themes import OURS
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult, Row, Table, shown
from patient_feedback.errors import FeedbackError
from patient_feedback.settings import SOURCE_TREE

GOAL_SIZE = 20_000
MOST_REPEATS = 3


def measure(bench: Workbench) -> PartResult:
    distinct = first_of_each(bench.comments.texts, np.arange(len(bench.comments.texts)))
    texts = tuple(bench.comments.texts[i] for i in distinct)
    with tempfile.TemporaryDirectory() as folder:
        shipped, base = Path(folder, "shipped"), Path(folder, "base")
        Material(texts, bench.shipped_vectors[distinct], bench.shipped_readers).keep(shipped)
        Material(texts, bench.base_vectors[distinct], None).keep(base)
        kept = {OURS: shipped, BERTOPIC: base, UMAP_KMEANS: base}
        rows = [_against_peers(bench, kept, size) for size in bench.settings.theme_sizes]
        if bench.settings.streamed_counts is None:
            return PartResult(tuple(rows))
        streamed, table = _streamed(bench, shipped, bench.settings.streamed_counts)
    return PartResult((*rows, *streamed), (table,))


def _against_peers(bench: Workbench, kept: Mapping[str, Path], size: int) -> Row:
    reasons = {}
    for name, packages in ((BERTOPIC, ("bertopic", "umap")), (UMAP_KMEANS, ("umap",))):
        if reason := theme_peers.missing(*packages):
            reasons[name] = reason
    taken: dict[str, list[float]] = {name: [] for name in kept if name not in reasons}
    for _ in range(min(bench.settings.repeats, MOST_REPEATS)):
        for name, times in taken.items():
            times.append(_printed("theme_timing", bench, kept[name], name, size, bench.settings.threads))
    peers: dict[str, Value | str] = {
        name: over_repeats(times) for name, times in taken.items() if name != OURS
    }
    ratio = None
    if BERTOPIC in taken:
        ratio = over_repeats([own / peer for own, peer in zip(taken[OURS], taken[BERTOPIC], strict=True)])
    return Row(
        f"themes_seconds_at_{size}",
        f"fit and assign, embeddings given; {HOW}; {bench.settings.threads} threads, a process of its own for each "
        f"timing, warmed up, sides in turn; {OVER_REPEATS}",
        size,
        over_repeats(taken[OURS]),
        peers | reasons,
        BERTOPIC,
        ratio,
        0.1 if size == GOAL_SIZE else None,
        "ratio",
        is_lower_better=True,
    )


def _streamed(bench: Workbench, kept: Path, counts: tuple[int, int]) -> tuple[list[Row], Table]:
    """Return whether time a comment and memory stay as they are when the comments are ten times as many."""
    few, many = (_printed("streaming", bench, kept, count) for count in counts)
    per_comment = few["assign_seconds"] / few["count"], many["assign_seconds"] / many["count"]
    slower = per_comment[1] / per_comment[0]
    # Only some systems say how much memory a process has held.
    larger = many["peak_mb"] / few["peak_mb"] if few["peak_mb"] else None
    how = (
        f"{HOW}, in chunks: a bounded sample drawn on the way, one fit, a second pass that "
        f"assigns; a process of its own for each count; {few['count']:,} against {many['count']:,} comments; one run each"
    )
    rows = [
        Row(
            "themes_streamed_time_per_comment",
            f"seconds a comment in the assigning pass at the larger count over those at the smaller; {how}",
            many["count"],
            Value(slower, slower, slower),
            goal=1.1,
            is_lower_better=True,
        ),
        Row(
            "themes_streamed_peak_memory",
            f"peak memory of the process at the larger count over that at the smaller; {how}",
            many["count"],
            larger and Value(larger, larger, larger),
            goal=1.1,
            is_lower_better=True,
        ),
    ]
    header = ("comments", "sample, s", "fit, s", "assign, s", "assigned comments/s", "peak memory, MB")
    cells: Sequence[tuple[str, ...]] = [
        (
            f"{run['count']:,}",
            shown(run["sample_seconds"]),
            shown(run["fit_seconds"]),
            shown(run["assign_seconds"]),
            shown(run["count"] / run["assign_seconds"]),
            shown(run["peak_mb"]) if run["peak_mb"] else "–",
        )
        for run in (few, many)
    ]
    return rows, Table(
        "Streamed comments",
        header,
        tuple(cells),
        "Making the vectors is not counted; libraries are in the memory.",
    )


def _printed(module: str, bench: Workbench, *arguments: object) -> Any:
    """Return what a module of this package, run as a process of its own, prints as JSON."""
    threads = {"OMP_NUM_THREADS": str(bench.settings.threads)}
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.language.{module}", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=SOURCE_TREE,
        env=os.environ | threads | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode != 0:
        raise FeedbackError(f"{module} {arguments} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])
