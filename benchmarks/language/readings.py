"""How the library reads comments that its models did not learn from; the only module that trains ours.

A fold is learnt once and kept under `benchmarks/.cache`, named by the data, the fold, the seed and
the code that trains: a run that was cut off goes on, and changed code trains again.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.splits import LEARNT_FROM
from patient_feedback.language import fitting, heads, labelled, training
from patient_feedback.language.fitting import Features, fit_levels, fit_topics
from patient_feedback.language.heads import forward, hashed_words, intent_columns
from patient_feedback.language.labelled import LEVEL_COUNT, LabelledComments

CODE = tuple(Path(inspect.getfile(module)) for module in (fitting, heads, labelled, training))
CODE += tuple(path for path in [CODE[-1].with_name("adapter.py")] if path.is_file())


@dataclass(frozen=True, slots=True)
class Readings:
    """Every comment as read by models that saw no comment of its fold."""

    fold_of: NDArray[np.int64]
    vectors: NDArray[np.float32]
    level_logits: NDArray[np.float64]
    """Shape (comments, 5), worst level first."""
    topic_logits: NDArray[np.float64]
    """Shape (comments, topics); margins, not yet probabilities."""
    topic_slugs: tuple[str, ...]
    topic_weights: tuple[NDArray[np.float32], ...]
    """One for each fold: the linear readers of topics, shape (dimensions, topics)."""


@dataclass(frozen=True, slots=True)
class HeadParts:
    """What heads may look at beside the vector; for the ablation."""

    uses_intents: bool = True
    uses_words: bool = True


FoldReader = Callable[[NDArray[np.int64], int, int], "Readings"]
"""(fold of each comment, fold, seed) to readings of which those of the fold count."""


def read_across(
    reader: FoldReader,
    name: str,
    comments: LabelledComments,
    fold_of: NDArray[np.int64],
    seed: int,
    cache: Path,
) -> tuple[Readings, bool]:
    """Return the readings of all folds together, and whether all came from the cache."""
    parts = []
    is_cached = True
    for fold in range(int(fold_of.max()) + 1):
        path = cache / "readings" / f"{name}-{_key(comments, fold_of == fold, seed)}.npz"
        if not path.is_file():
            is_cached = False
            _keep(path, reader(fold_of, fold, seed), fold_of == fold)
        parts.append(_kept(path, fold_of, fold))
    joined = [
        np.select(
            [(fold_of == fold)[:, None] for fold in range(len(parts))], [getattr(p, field) for p in parts]
        )
        for field in ("vectors", "level_logits", "topic_logits")
    ]
    return (
        Readings(fold_of, *joined, parts[0].topic_slugs, tuple(part.topic_weights[0] for part in parts)),
        is_cached,
    )


def library_reader(comments: LabelledComments, threads: int) -> FoldReader:
    """Return the reader that the library ships: adapter and heads, trained without the fold."""

    def read(fold_of: NDArray[np.int64], fold: int, seed: int) -> Readings:
        held_out = np.where(fold_of == fold, 0, LEARNT_FROM)
        fit = training.cross_fit(comments, held_out, seed=seed, threads=threads)
        return Readings(
            held_out,
            fit.vectors,
            fit.level_logits,
            fit.topic_logits,
            tuple(fit.topic_slugs),
            (fit.topic_weights[0],),
        )

    return read


def heads_reader(
    comments: LabelledComments,
    vectors: NDArray[np.float32],
    minimum_examples: int,
    parts: HeadParts | None = None,
    epochs: int | None = None,
) -> FoldReader:
    """Return a reader of given vectors: the heads alone, without an adapter. Seconds a fold.

    `epochs` is for few comments, which the library's own number would leave unlearnt.
    """
    parts = parts or HeadParts()
    intents = intent_columns(comments.intents) * np.float32(parts.uses_intents)
    phrases = hashed_words(comments.texts, comments.intents) * np.float32(parts.uses_words)
    features = Features(vectors, intents, phrases)
    kept = np.flatnonzero(comments.topics.sum(axis=0) >= minimum_examples)
    levels = np.eye(LEVEL_COUNT, dtype=np.float32)[comments.levels]

    def read(fold_of: NDArray[np.int64], fold: int, seed: int) -> Readings:
        learnt = np.flatnonzero(fold_of != fold)
        level_settings = fitting.LevelSettings(seed=seed)
        if epochs is not None:
            level_settings = replace(level_settings, epochs=epochs)
        level_weights = fit_levels(features, levels, learnt[comments.levels[learnt] >= 0], level_settings)
        topic_settings = fitting.TopicSettings(seed=seed)
        topic_weights = fit_topics(features, comments.topics[:, kept], learnt, topic_settings)
        return Readings(
            fold_of,
            vectors,
            forward(level_weights, vectors, intents, phrases),
            forward(topic_weights, vectors, intents, phrases),
            tuple(comments.topic_slugs[i] for i in kept),
            (topic_weights["output.embedding"],),
        )

    return read


def _key(comments: LabelledComments, held_out: NDArray[np.bool_], seed: int) -> str:
    digest = hashlib.sha256(f"{comments.sha256}|{seed}|".encode())
    digest.update(held_out.tobytes())
    for path in CODE:
        digest.update(_meaning(path).encode())
    return digest.hexdigest()[:20]


def _meaning(path: Path) -> str:
    """Return a module's code without comments and docstrings: rewording them trains nothing anew."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line
                for line in node.body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return ast.dump(tree)


def _keep(path: Path, readings: Readings, held_out: NDArray[np.bool_]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npz")
    np.savez(
        unfinished,
        vectors=readings.vectors[held_out].astype(np.float32),
        level_logits=readings.level_logits[held_out].astype(np.float64),
        topic_logits=readings.topic_logits[held_out].astype(np.float64),
        topic_slugs=np.array(readings.topic_slugs),
        topic_weights=readings.topic_weights[0].astype(np.float32),
    )
    unfinished.rename(path)


def _kept(path: Path, fold_of: NDArray[np.int64], fold: int) -> Readings:
    with np.load(path, allow_pickle=False) as stored:
        members = np.flatnonzero(fold_of == fold)

        def spread(name: str) -> NDArray:
            whole = np.zeros((len(fold_of), stored[name].shape[1]), stored[name].dtype)
            whole[members] = stored[name]
            return whole

        return Readings(
            fold_of,
            spread("vectors"),
            spread("level_logits"),
            spread("topic_logits"),
            tuple(str(slug) for slug in stored["topic_slugs"]),
            (stored["topic_weights"],),
        )
