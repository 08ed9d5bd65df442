"""Trains and measures adapter and heads on labelled comments: same file, seed and machine, same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import QuestionIntent
from patient_feedback.errors import FeedbackError
from patient_feedback.language import sentiment, topics
from patient_feedback.language.adapter import AdapterSettings
from patient_feedback.language.answer_kind import CommentReading, answer_kind
from patient_feedback.language.fitting import (
    Features,
    LevelSettings,
    TopicSettings,
    Weights,
    averaged,
    fit_levels,
    fit_linear_readers,
    fit_topics,
)
from patient_feedback.language.heads import hashed_words, intent_columns, read_twice, save_head
from patient_feedback.language.labelled import LEVEL_COUNT, LabelledComments, read_labelled
from patient_feedback.language.measures import level_figures, topic_figures
from patient_feedback.language.written_examples import with_written_examples
from patient_feedback.settings import DEFAULT_ENCODER

if TYPE_CHECKING:
    from patient_feedback.language.encoder import Encoder

SENTIMENT_NUMBER = "2.0.1"
TOPICS_NUMBER = "2.0.0"
ADAPTER_NAME = "feedback-1.0.0"
ADAPTER_FOLDER = "adapter"
DATASET = "NHS England, pxtextmining v6framework_230831 (MIT)"
SEED = 20_260_101
ALWAYS_LEARNT = -1
"""In place of a fold's number: a comment that every fold learns from and none is measured on."""
THRESHOLDS = np.arange(0.06, 0.71, 0.02)
THRESHOLD_PRIOR = 25
"""Weight, in comments, of the threshold shared by all topics in the choice of a topic's own."""
TEMPERATURES = np.arange(0.7, 2.51, 0.05)
TEMPERATURE_DIGITS = 2


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    levels: LevelSettings = field(default_factory=LevelSettings)
    level_starts: int = 3
    """So many networks are trained from different starts and kept as one, their mean."""
    topics: TopicSettings = field(default_factory=TopicSettings)
    minimum_examples: int = 20
    """A topic with fewer labelled comments is not predicted."""
    folds: int = 5
    uses_written_examples: bool = True


class VectorSource(Protocol):
    """Gives the vectors that heads are trained on."""

    def vectors_learnt_from(
        self, rows: NDArray[np.intp], topics: NDArray[np.float32], seed: int
    ) -> NDArray[np.float32]:
        """Return the unit vectors of all comments, shape (comments, dimensions), by what `rows` taught."""


@dataclass(frozen=True, slots=True)
class FixedVectors:
    """Vectors of an encoder that learns nothing from the comments."""

    vectors: NDArray[np.float32]

    def vectors_learnt_from(self, *_learnt: object) -> NDArray[np.float32]:
        return self.vectors


@dataclass(frozen=True, slots=True)
class CrossFit:
    """What models say of comments that they did not learn from; rows follow the comments."""

    vectors: NDArray[np.float32]
    level_logits: NDArray[np.float64]
    """Worst first, shape (comments, 5), at a temperature chosen on the other folds."""
    temperature: float
    """What the head's logits are divided by, chosen on all folds."""
    topic_logits: NDArray[np.float64]
    """Margins, shape (comments, topics)."""
    topic_slugs: tuple[str, ...]
    topic_weights: tuple[NDArray[np.float32], ...]
    """For each fold the linear readers' weights on the vector, shape (dimensions, topics) ..."""
    topic_offsets: tuple[NDArray[np.float32], ...]
    """... and their offsets, shape (topics,): the logit of each topic, without knowing words or question."""


@dataclass(frozen=True, slots=True)
class TrainedModels:
    encoder_version: str
    sentiment_version: str
    topics_version: str
    figures: dict[str, Any]
    """Cross-validated figures of both heads, as written to the manifests."""


@dataclass(frozen=True, slots=True)
class FoldReadings:
    """What models that did not learn from a fold say of its comments."""

    vectors: NDArray[np.float32]
    level_logits: NDArray[np.float64]
    topic_logits: NDArray[np.float64]
    topic_weights: NDArray[np.float32]
    topic_offsets: NDArray[np.float32]


def cross_fit(
    comments: LabelledComments,
    fold_of: NDArray[np.int64],
    *,
    seed: int = SEED,
    threads: int = 1,
    settings: TrainingSettings | None = None,
    source: VectorSource | None = None,
    cache: Path | None = None,
) -> CrossFit:
    """Read every comment of a fold with models that learnt from the other folds only.

    `fold_of` holds a fold's number, from 0, or ALWAYS_LEARNT. A comment whose words also occur in
    the fold measured is not learnt from. Comments of no fold get zeros. Without `source` each fold
    trains its own adapter on the default encoder: some five minutes a fold. `cache` is a folder that
    keeps the folds that are done, so that work cut off goes on where it was.
    """
    settings = settings or TrainingSettings()
    learnable = with_written_examples(comments) if settings.uses_written_examples else comments
    count = len(comments.texts)
    folds = np.concatenate([fold_of, np.full(len(learnable.texts) - count, ALWAYS_LEARNT)])
    kept = _predicted_topics(comments, settings)
    targets = np.ascontiguousarray(learnable.topics[:, kept])
    readings: list[FoldReadings] = []
    for fold in range(int(folds.max()) + 1):
        measured = np.flatnonzero(folds == fold)
        path = cache and cache / f"fold-{_fold_key(learnable, measured, settings, seed + fold)}.npz"
        if path is None or not path.is_file():
            source = source or _adapter_training(_default_encoder_folder(), learnable, settings, threads)
            read = _read_fold(learnable, targets, measured, settings, seed + fold, source)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, **{name: getattr(read, name) for name in FoldReadings.__dataclass_fields__})
        else:
            read = FoldReadings(**np.load(path))
        readings.append(read)

    def together(name: str) -> Any:
        parts = [getattr(read, name) for read in readings]
        joined = np.zeros((count, parts[0].shape[1]), parts[0].dtype)
        for fold, part in enumerate(parts):
            joined[fold_of == fold] = part
        return joined

    level_logits, temperature = _calibrated(comments, fold_of, together("level_logits"))
    return CrossFit(
        together("vectors"),
        level_logits,
        temperature,
        together("topic_logits"),
        tuple(comments.topic_slugs[i] for i in kept),
        tuple(read.topic_weights for read in readings),
        tuple(read.topic_offsets for read in readings),
    )


def train(
    labelled: Path,
    output_dir: Path,
    *,
    encoder: Encoder | None = None,
    threads: int = 1,
    settings: TrainingSettings | None = None,
    cache: Path | None = None,
) -> TrainedModels:
    """Train on a labelled CSV and write models, with manifests and figures, to `output_dir`.

    Without `encoder` an adapter is trained for the default one, and heads for the two together: some
    five minutes for each of six adapters, because figures and thresholds need one a fold. With
    `encoder` heads alone are trained for it as it is. Figures come from cross-validation in which
    comments with the same words stay on one side. No text is written. `cache`: see `cross_fit`.
    Raises FeedbackError where the file has too few labels.
    """
    settings = settings or TrainingSettings()
    comments = read_labelled(labelled)
    _require(len(np.unique(comments.levels[comments.levels >= 0])) > 1, "sentiment labels of two levels")
    _require(
        len(_predicted_topics(comments, settings)) > 0,
        f"a topic with {settings.minimum_examples} comments or more",
    )
    learnable = with_written_examples(comments) if settings.uses_written_examples else comments
    source: VectorSource
    if encoder is None:
        source = _adapter_training(_default_encoder_folder(), learnable, settings, threads)
    else:
        source = FixedVectors(_encoded(encoder, learnable.texts))
    fold_of = folds_by_group(comments.groups, settings.folds)
    unseen = cross_fit(comments, fold_of, threads=threads, settings=settings, source=source, cache=cache)
    targets = np.ascontiguousarray(learnable.topics[:, _predicted_topics(comments, settings)])
    everything = np.arange(len(learnable.texts))
    trained_on = {"dataset": DATASET, "file_sha256": comments.sha256}
    if encoder is None:
        encoder = _train_adapter(source, everything, targets, output_dir, trained_on, threads)
    features = _features(learnable, _as_stored(_encoded(encoder, learnable.texts)))
    levels, topic_readers = _fit_heads(features, learnable, targets, everything, settings, SEED)
    sentiment_version, level_measures = _save_sentiment(
        comments, unseen, levels, settings, output_dir, encoder.version, trained_on
    )
    topics_version, topic_measures = _save_topics(
        comments, unseen, fold_of, topic_readers, settings, output_dir, encoder.version, trained_on
    )
    return TrainedModels(
        encoder.version,
        sentiment_version,
        topics_version,
        {"sentiment": level_measures, "topics": topic_measures},
    )


def folds_by_group(groups: Sequence[str], fold_count: int, seed: int = SEED) -> NDArray[np.int64]:
    """Return the fold of each comment; comments of one group share it."""
    digests = (hashlib.sha256(f"{seed}|{group}".encode()).digest() for group in groups)
    return np.array([int.from_bytes(digest[:8]) % fold_count for digest in digests])


def best_temperature(logits: NDArray[np.float64], levels: NDArray[np.int64]) -> float:
    """Return the divisor of the logits under which the true levels are most probable."""

    def surprise(temperature: float) -> float:
        probabilities = sentiment.level_probabilities(logits / temperature)
        return float(-np.mean(np.log(np.maximum(probabilities[np.arange(len(levels)), levels], 1e-9))))

    return round(float(min(TEMPERATURES, key=surprise)), TEMPERATURE_DIGITS)


def margin_scale(margins: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope and offset that turn margins into probabilities, one pair for all topics (Platt)."""
    from sklearn.linear_model import LogisticRegression

    scale = LogisticRegression(C=1e6).fit(margins.reshape(-1, 1), targets.reshape(-1))
    return round(float(scale.coef_[0, 0]), 4), round(float(scale.intercept_[0]), 4)


def topic_thresholds(probabilities: NDArray[np.float64], targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each topic's threshold of the best F1, drawn to the shared one where examples are few."""

    def f1(found: NDArray[np.bool_], truth: NDArray[np.float32]) -> float:
        return float(2.0 * np.sum(found * truth) / max(1.0, float(np.sum(found) + np.sum(truth))))

    shared = float(max(THRESHOLDS, key=lambda t: f1(probabilities >= t, targets)))
    chosen = []
    for topic in range(targets.shape[1]):
        truth, probability = targets[:, topic], probabilities[:, topic]
        own = float(max(THRESHOLDS, key=lambda t: (f1(probability >= t, truth), -abs(t - shared))))
        count = float(truth.sum())
        chosen.append((count * own + THRESHOLD_PRIOR * shared) / (count + THRESHOLD_PRIOR))
    return np.round(np.array(chosen), 2)


def _calibrated(
    comments: LabelledComments, fold_of: NDArray[np.int64], logits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return logits as the model gives them once it is calibrated, and the temperature for all folds.

    A fold's temperature, and what its answers without a subject mean, come from the other folds.
    """
    groups = np.asarray(comments.groups)
    is_read = fold_of != ALWAYS_LEARNT
    has_subject = np.array(
        [
            answer_kind(text, intent) is CommentReading.CONTENT
            for text, intent in zip(comments.texts, comments.intents, strict=True)
        ]
    )
    chosen_on = is_read & has_subject & (comments.levels >= 0)
    calibrated = logits.copy()
    for fold in np.unique(fold_of[is_read]):
        measured = np.flatnonzero(fold_of == fold)
        elsewhere = np.flatnonzero(chosen_on & (fold_of != fold))
        temperature = (
            best_temperature(logits[elsewhere], comments.levels[elsewhere]) if len(elsewhere) else 1.0
        )
        levels = np.where(np.isin(groups, groups[measured]), -1, comments.levels)
        calibrated[measured] = sentiment.with_known_answers(
            logits[measured] / temperature,
            [comments.texts[i] for i in measured],
            [comments.intents[i] for i in measured],
            sentiment.known_answers(comments.texts, comments.intents, levels),
        )
    return calibrated, best_temperature(logits[chosen_on], comments.levels[chosen_on])


def _read_fold(
    learnable: LabelledComments,
    topic_targets: NDArray[np.float32],
    measured: NDArray[np.intp],
    settings: TrainingSettings,
    seed: int,
    source: VectorSource,
) -> FoldReadings:
    groups = np.asarray(learnable.groups)
    learnt = np.flatnonzero(~np.isin(groups, groups[measured]))
    vectors = _as_stored(source.vectors_learnt_from(learnt, topic_targets, seed))
    features = _features(learnable, vectors)
    levels, topic_readers = _fit_heads(features, learnable, topic_targets, learnt, settings, seed)
    texts, intents = [learnable.texts[i] for i in measured], [learnable.intents[i] for i in measured]
    return FoldReadings(
        vectors[measured],
        read_twice(levels, vectors[measured], intents, texts),
        read_twice(topic_readers, vectors[measured], intents, texts),
        topic_readers["reader.embedding"],
        topic_readers["reader.offset"][0],
    )


def _fold_key(
    learnable: LabelledComments, measured: NDArray[np.intp], settings: TrainingSettings, seed: int
) -> str:
    """Return a name that differs wherever a fold's readings would; the code's own changes are the developer's to see to."""
    described = f"{learnable.sha256}|{len(learnable.texts)}|{asdict(settings)}|{seed}|"
    return hashlib.sha256(described.encode() + measured.tobytes()).hexdigest()[:20]


def _default_encoder_folder() -> Path:
    from patient_feedback.language.encoder import model_folder

    return model_folder(DEFAULT_ENCODER)


def _adapter_training(
    base: Path, comments: LabelledComments, settings: TrainingSettings, threads: int
) -> VectorSource:
    from patient_feedback.language.adapter import AdapterTraining

    return AdapterTraining(base, comments, settings.adapter, threads)


def _train_adapter(
    source: Any,
    rows: NDArray[np.intp],
    topic_targets: NDArray[np.float32],
    output_dir: Path,
    trained_on: dict[str, Any],
    threads: int,
) -> Encoder:
    from patient_feedback.language.encoder import load_encoder

    folder = output_dir / ADAPTER_FOLDER
    source.save(source.fit(rows, topic_targets, SEED), folder, ADAPTER_NAME, trained_on)
    return load_encoder(DEFAULT_ENCODER, threads, adapter=folder)


def _predicted_topics(comments: LabelledComments, settings: TrainingSettings) -> NDArray[np.intp]:
    return np.flatnonzero(comments.topics.sum(axis=0) >= settings.minimum_examples)


def _encoded(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    distinct = sorted(set(texts))
    positions = {text: i for i, text in enumerate(distinct)}
    return encoder.encode(distinct)[[positions[text] for text in texts]]


def _as_stored(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round as the warehouse does, so that training and use see the same numbers."""
    return vectors.astype(np.float16).astype(np.float32)


def _features(comments: LabelledComments, vectors: NDArray[np.float32]) -> Features:
    """Return every comment twice: with what was asked, then as an answer to an open question.

    How good the answers to a question are differs from one organisation to the next; a head that
    knows every comment without its question too leans on the words.
    """
    from scipy.sparse import vstack

    unasked = [QuestionIntent.OPEN.value] * len(comments.texts)
    return Features(
        np.concatenate([vectors, vectors]),
        np.concatenate([intent_columns(comments.intents), intent_columns(unasked)]),
        vstack([hashed_words(comments.texts, intents) for intents in (comments.intents, unasked)]).tocsr(),
    )


def _fit_heads(
    features: Features,
    comments: LabelledComments,
    topic_targets: NDArray[np.float32],
    rows: NDArray[np.intp],
    settings: TrainingSettings,
    seed: int,
) -> tuple[Weights, Weights]:
    count = len(comments.texts)
    level_targets = np.tile(np.eye(LEVEL_COUNT, dtype=np.float32)[comments.levels], (2, 1))
    labelled = rows[comments.levels[rows] >= 0]
    starts = [
        fit_levels(
            features,
            level_targets,
            np.concatenate([labelled, labelled + count]),
            replace(settings.levels, seed=seed + 1000 * start),
        )
        for start in range(settings.level_starts)
    ]
    topic_settings = replace(settings.topics, seed=seed)
    twice = np.concatenate([rows, rows + count])
    return averaged(starts), {
        **fit_topics(features, np.tile(topic_targets, (2, 1)), twice, topic_settings),
        **fit_linear_readers(features, topic_targets, rows, topic_settings),
    }


def _save_sentiment(
    comments: LabelledComments,
    unseen: CrossFit,
    weights: Weights,
    settings: TrainingSettings,
    output_dir: Path,
    encoder_version: str,
    trained_on: dict[str, Any],
) -> tuple[str, dict[str, Any]]:
    rows = np.flatnonzero(comments.levels >= 0)
    probabilities = sentiment.level_probabilities(unseen.level_logits[rows])
    figures = level_figures(comments.levels[rows], probabilities, [comments.groups[i] for i in rows])
    version = save_head(
        output_dir,
        sentiment.HEAD_NAME,
        SENTIMENT_NUMBER,
        encoder_version,
        [level.value for level in sentiment.LEVELS],
        weights,
        {
            "temperature": unseen.temperature,
            "known_answers": sentiment.known_answers(comments.texts, comments.intents, comments.levels),
            "trained_on": {**trained_on, "comment_count": len(rows)},
            "training": {**asdict(settings.levels), "starts": settings.level_starts},
            "figures": figures,
        },
    )
    return version, figures


def _save_topics(
    comments: LabelledComments,
    unseen: CrossFit,
    fold_of: NDArray[np.int64],
    weights: Weights,
    settings: TrainingSettings,
    output_dir: Path,
    encoder_version: str,
    trained_on: dict[str, Any],
) -> tuple[str, dict[str, Any]]:
    slugs = unseen.topic_slugs
    counts = dict(zip(comments.topic_slugs, comments.topics.sum(axis=0).astype(int).tolist(), strict=True))
    targets = comments.topics[:, _predicted_topics(comments, settings)]
    slope, offset = margin_scale(unseen.topic_logits, targets)
    probabilities = topics.topic_probabilities(unseen.topic_logits, slope, offset)
    found = np.zeros_like(targets)
    for fold in np.unique(fold_of):
        # The thresholds that a fold is measured with are chosen without it.
        inside, outside = fold_of == fold, fold_of != fold
        found[inside] = probabilities[inside] >= topic_thresholds(probabilities[outside], targets[outside])
    figures = topic_figures(targets, found, slugs, comments.groups)
    thresholds = topic_thresholds(probabilities, targets)
    version = save_head(
        output_dir,
        topics.HEAD_NAME,
        TOPICS_NUMBER,
        encoder_version,
        slugs,
        weights,
        {
            "margin_slope": slope,
            "margin_offset": offset,
            "thresholds": {slug: round(float(t), 2) for slug, t in zip(slugs, thresholds, strict=True)},
            "not_predicted": {slug: n for slug, n in sorted(counts.items()) if slug not in slugs},
            "trained_on": {
                **trained_on,
                "comment_count": len(comments.texts),
                "topic_counts": {slug: counts[slug] for slug in slugs},
            },
            "training": asdict(settings.topics),
            "figures": figures,
        },
    )
    return version, figures


def _require(is_met: bool, what: str) -> None:
    if not is_met:
        raise FeedbackError(f"The labelled file has too little to learn from: it needs {what}.")
