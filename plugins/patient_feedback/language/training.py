"""Trains and measures the heads on comments with human labels: same file, same seed, same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.errors import FeedbackError
from patient_feedback.language import sentiment, topics
from patient_feedback.language.encoder import Encoder, load_encoder
from patient_feedback.language.fitting import (
    Features,
    LevelSettings,
    TopicSettings,
    Weights,
    fit_levels,
    fit_topics,
)
from patient_feedback.language.heads import forward, hashed_words, intent_columns, save_head
from patient_feedback.language.labelled import LEVEL_COUNT, LabelledComments, read_labelled
from patient_feedback.language.measures import level_figures, topic_figures
from patient_feedback.settings import DEFAULT_ENCODER

SENTIMENT_NUMBER = "1.0.0"
TOPICS_NUMBER = "1.0.0"
DATASET = "NHS England, pxtextmining v6framework_230831 (MIT)"
LEVEL_SETTINGS = LevelSettings()
TOPIC_SETTINGS = TopicSettings()
FOLDS = 5
MINIMUM_EXAMPLES = 20
"""A topic with fewer labelled comments is not predicted."""
THRESHOLDS = np.arange(0.15, 0.71, 0.05)
THRESHOLD_PRIOR = 50
"""Weight, in comments, of the threshold shared by all topics in the choice of a topic's own."""
TEMPERATURES = np.arange(0.7, 2.51, 0.05)
TEMPERATURE_DIGITS = 2


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    sentiment_version: str
    topics_version: str
    figures: dict[str, Any]
    """Cross-validated figures of both heads, as written to the manifests."""


def train(
    labelled: Path,
    output_dir: Path,
    *,
    encoder: Encoder | None = None,
    threads: int = 1,
    level_settings: LevelSettings = LEVEL_SETTINGS,
    topic_settings: TopicSettings = TOPIC_SETTINGS,
    minimum_examples: int = MINIMUM_EXAMPLES,
) -> TrainedHeads:
    """Train both heads on a labelled CSV and write them, with manifests and figures, to `output_dir`.

    Figures come from cross-validation in which comments with the same words stay on one side. No
    text is written. Raises FeedbackError where the file has too few labels. Some minutes on 2 cores.
    """
    comments = read_labelled(labelled)
    encoder = encoder or load_encoder(DEFAULT_ENCODER, threads)
    distinct = sorted(set(comments.texts))
    positions = {text: i for i, text in enumerate(distinct)}
    vectors = encoder.encode(distinct)
    # Rounded as the warehouse stores them, so that training and use see the same numbers.
    vectors = vectors.astype(np.float16).astype(np.float32)
    features = Features(
        vectors[[positions[text] for text in comments.texts]],
        intent_columns(comments.intents),
        hashed_words(comments.texts, comments.intents),
    )
    trained_on = {"dataset": DATASET, "file_sha256": comments.sha256}
    sentiment_version, sentiment_figures = _train_sentiment(
        comments, features, level_settings, output_dir, encoder.version, trained_on
    )
    topics_version, topics_figures = _train_topics(
        comments, features, topic_settings, output_dir, encoder.version, trained_on, minimum_examples
    )
    return TrainedHeads(
        sentiment_version, topics_version, {"sentiment": sentiment_figures, "topics": topics_figures}
    )


def _train_sentiment(
    comments: LabelledComments,
    features: Features,
    settings: LevelSettings,
    output_dir: Path,
    encoder_version: str,
    trained_on: dict[str, Any],
) -> tuple[str, dict[str, Any]]:
    rows = np.flatnonzero(comments.levels >= 0)
    _require(len(np.unique(comments.levels[rows])) > 1, "sentiment labels of at least two levels")
    targets = np.eye(LEVEL_COUNT, dtype=np.float32)[comments.levels]
    logits = _out_of_fold(
        features,
        targets,
        rows,
        comments.groups,
        settings.seed,
        lambda learnt: fit_levels(features, targets, learnt, settings),
    )
    levels = comments.levels[rows]
    temperature = _best_temperature(logits, levels)
    probabilities = sentiment.level_probabilities(logits, temperature)
    figures = level_figures(levels, probabilities, [comments.groups[i] for i in rows])
    weights = fit_levels(features, targets, rows, settings)
    version = save_head(
        output_dir,
        sentiment.HEAD_NAME,
        SENTIMENT_NUMBER,
        encoder_version,
        [level.value for level in sentiment.LEVELS],
        weights,
        {
            "temperature": temperature,
            "trained_on": {**trained_on, "comment_count": len(rows)},
            "training": asdict(settings),
            "figures": figures,
        },
    )
    return version, figures


def _train_topics(
    comments: LabelledComments,
    features: Features,
    settings: TopicSettings,
    output_dir: Path,
    encoder_version: str,
    trained_on: dict[str, Any],
    minimum_examples: int,
) -> tuple[str, dict[str, Any]]:
    counts = comments.topics.sum(axis=0)
    kept = np.flatnonzero(counts >= minimum_examples)
    _require(len(kept) > 0, f"a topic with {minimum_examples} comments or more")
    targets = comments.topics[:, kept]
    slugs = [comments.topic_slugs[i] for i in kept]
    rows = np.arange(len(targets))
    logits = _out_of_fold(
        features,
        targets,
        rows,
        comments.groups,
        settings.seed,
        lambda learnt: fit_topics(features, targets, learnt, settings),
    )
    slope, offset = _margin_scale(logits, targets)
    probabilities = topics.topic_probabilities(logits, slope, offset)
    folds = _folds(comments.groups, settings.seed)
    found = np.zeros_like(targets)
    for fold in range(FOLDS):
        # The thresholds that a fold is measured with are chosen without it.
        inside, outside = folds == fold, folds != fold
        found[inside] = probabilities[inside] >= _thresholds(probabilities[outside], targets[outside])
    figures = topic_figures(targets, found, slugs, comments.groups)
    thresholds = _thresholds(probabilities, targets)
    version = save_head(
        output_dir,
        topics.HEAD_NAME,
        TOPICS_NUMBER,
        encoder_version,
        slugs,
        fit_topics(features, targets, rows, settings),
        {
            "margin_slope": slope,
            "margin_offset": offset,
            "thresholds": {slug: round(float(t), 2) for slug, t in zip(slugs, thresholds, strict=True)},
            "not_predicted": {
                slug: int(count)
                for slug, count in sorted(zip(comments.topic_slugs, counts, strict=True))
                if slug not in slugs
            },
            "trained_on": {
                **trained_on,
                "comment_count": len(rows),
                "topic_counts": {slug: int(counts[i]) for slug, i in zip(slugs, kept, strict=True)},
            },
            "training": asdict(settings),
            "figures": figures,
        },
    )
    return version, figures


def _require(is_met: bool, what: str) -> None:
    if not is_met:
        raise FeedbackError(f"The labelled file has too little to learn from: it needs {what}.")


def _folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Return the fold of each comment; comments of one group share it."""
    return np.array(
        [int.from_bytes(hashlib.sha256(f"{seed}|{group}".encode()).digest()[:8]) % FOLDS for group in groups]
    )


def _out_of_fold(
    features: Features,
    targets: NDArray[np.float32],
    rows: NDArray[np.intp],
    groups: Sequence[str],
    seed: int,
    fit: Callable[[NDArray[np.intp]], Weights],
) -> NDArray[np.float64]:
    """Return the logits of each of `rows` by a head that saw no comment with the same words."""
    folds = _folds([groups[i] for i in rows], seed)
    logits = np.zeros((len(rows), targets.shape[1]))
    for fold in range(FOLDS):
        measured = folds == fold
        if not measured.any() or measured.all():
            continue
        weights = fit(rows[~measured])
        held_out = rows[measured]
        logits[measured] = forward(
            weights, features.embeddings[held_out], features.intents[held_out], features.phrases[held_out]
        )
    return logits


def _best_temperature(logits: NDArray[np.float64], levels: NDArray[np.int64]) -> float:
    """Return the divisor of the logits under which the true levels are most probable."""

    def surprise(temperature: float) -> float:
        probabilities = sentiment.level_probabilities(logits, temperature)
        return float(-np.mean(np.log(np.maximum(probabilities[np.arange(len(levels)), levels], 1e-9))))

    return round(float(min(TEMPERATURES, key=surprise)), TEMPERATURE_DIGITS)


def _margin_scale(margins: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope and offset that turn margins into probabilities, one pair for all topics (Platt)."""
    from sklearn.linear_model import LogisticRegression

    scale = LogisticRegression(C=1e6).fit(margins.reshape(-1, 1), targets.reshape(-1))
    return round(float(scale.coef_[0, 0]), 4), round(float(scale.intercept_[0]), 4)


def _thresholds(probabilities: NDArray[np.float64], targets: NDArray[np.float32]) -> NDArray[np.float64]:
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
