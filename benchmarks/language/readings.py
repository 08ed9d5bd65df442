"""How the library reads comments that its models did not learn from; the only module that trains ours.

Folds that are done are kept under `benchmarks/.cache`, in a folder named by the code that trains: a run
that was cut off goes on, and changed code trains again.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import QuestionIntent
from patient_feedback.language import adapter, fitting, heads, labelled, training, written_examples
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.labelled import LabelledComments
from patient_feedback.language.topics import TopicModel
from patient_feedback.language.training import (
    CrossFit,
    FixedVectors,
    TrainingSettings,
    VectorSource,
    cross_fit,
)
from patient_feedback.language.written_examples import with_written_examples
from patient_feedback.settings import SOURCE_TREE

CODE = (adapter, fitting, heads, labelled, training, written_examples)
NO_WORDS = "1"
"""A text that holds no word, yet is not an answer without a subject."""
TAXONOMY = SOURCE_TREE / "dbt_project" / "seeds" / "topics.csv"


@dataclass(frozen=True, slots=True)
class TopicReaders:
    """What themes are told apart by, beside the vectors."""

    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    labels: tuple[str, ...]


def fit_arguments(readers: TopicReaders | None) -> dict[str, Any]:
    """Return readers as `fit_themes` takes them."""
    if readers is None:
        return {}
    return {
        "topic_weights": readers.weights,
        "topic_offsets": readers.offsets,
        "topic_labels": readers.labels,
    }


@dataclass(frozen=True, slots=True)
class Readings:
    """Every comment as read by models that learnt from other folds, and from none of its words."""

    fold_of: NDArray[np.int64]
    fit: CrossFit
    is_cached: bool

    def readers(self, fold: int) -> TopicReaders:
        """Return the topic readers that did not learn from `fold`."""
        return TopicReaders(
            self.fit.topic_weights[fold], self.fit.topic_offsets[fold], topic_labels(self.fit.topic_slugs)
        )


@dataclass(frozen=True, slots=True)
class HeadParts:
    """What heads may look at beside the vector; for the ablation."""

    uses_intents: bool = True
    uses_words: bool = True


def read_across(
    comments: LabelledComments,
    fold_of: NDArray[np.int64],
    seed: int,
    *,
    threads: int,
    settings: TrainingSettings,
    cache: Path,
    source: VectorSource | None = None,
) -> Readings:
    """Return the readings of all folds; without `source` by the adapter that the library trains."""
    kept = cache / code_version()
    before = _files(kept)
    fit = cross_fit(
        comments, fold_of, seed=seed, threads=threads, settings=settings, source=source, cache=kept
    )
    return Readings(fold_of, fit, _files(kept) == before)


def restricted(comments: LabelledComments, parts: HeadParts) -> LabelledComments:
    """Return comments of which heads see `parts` only; the vectors are given beside them."""
    if not parts.uses_intents:
        comments = replace(comments, intents=(QuestionIntent.OPEN.value,) * len(comments.texts))
    if not parts.uses_words:
        comments = replace(comments, texts=(NO_WORDS,) * len(comments.texts))
    return comments


def fixed_vectors(encoder: Encoder, comments: LabelledComments, settings: TrainingSettings) -> FixedVectors:
    """Return what `encoder` makes of all that is learnt from, written examples included."""
    learnable = with_written_examples(comments) if settings.uses_written_examples else comments
    return FixedVectors(encode_distinct(encoder, learnable.texts))


def encode_distinct(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vector of each text; a text that stands several times is encoded once."""
    distinct = list(dict.fromkeys(texts))
    positions = {text: i for i, text in enumerate(distinct)}
    return encoder.encode(distinct)[[positions[text] for text in texts]]


def shipped_readers(model: TopicModel) -> TopicReaders | None:
    """Return the topic readers that ship with the library; None where its head has none."""
    readers = model.linear_readers()
    return TopicReaders(*readers, topic_labels(model.topic_slugs)) if readers else None


def topic_labels(slugs: Sequence[str]) -> tuple[str, ...]:
    """Return the names of topics for people, as the published taxonomy has them."""
    with TAXONOMY.open(encoding="utf-8", newline="") as stream:
        labels = {row["topic_slug"]: row["topic_label"] for row in csv.DictReader(stream)}
    return tuple(labels.get(slug, slug.replace("_", " ")) for slug in slugs)


def code_version() -> str:
    """Return a name for the code that trains; rewording its comments does not change it."""
    digest = hashlib.sha256()
    for module in CODE:
        tree = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                node.body = [line for line in node.body if not _is_docstring(line)]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.npz")}
