"""How good or bad the experience was that a comment tells of: five levels and a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import SentimentLabel
from patient_feedback.language.answer_kind import NOTHING_ALONE, CommentReading, answer_key
from patient_feedback.language.heads import INTENTS, MODELS_DIR, READING_DIGITS, Head, load_head

HEAD_NAME = "sentiment"
LEVELS = tuple(SentimentLabel)
"""Worst first."""
LEVEL_SCORES = np.linspace(-1.0, 1.0, len(LEVELS))

EXPECTED_LEVELS = {
    CommentReading.NO_CONTENT: (0.05, 0.05, 0.7, 0.1, 0.1),
    NOTHING_ALONE: (0.05, 0.05, 0.7, 0.1, 0.1),
    CommentReading.NOTHING_TO_IMPROVE: (0.02, 0.03, 0.1, 0.15, 0.7),
    CommentReading.NOTHING_WAS_GOOD: (0.6, 0.2, 0.16, 0.02, 0.02),
}
"""Levels of an answer without a subject, worst first, before any labelled one was seen."""
EXPECTATION_WEIGHT = 3.0
"""In labelled answers."""


@dataclass(frozen=True, slots=True)
class SentimentReading:
    label: SentimentLabel
    """The most probable level."""
    score: float
    """-1..1: the expected value over the five levels, which stand at -1, -0.5, 0, 0.5 and 1."""
    confidence: float
    """0..1: the probability of `label`."""


class SentimentModel:
    def __init__(self, head: Head) -> None:
        self._head = head

    @property
    def version(self) -> str:
        return self._head.version

    def score(
        self, embeddings: NDArray[np.float32], intents: Sequence[str], texts: Sequence[str]
    ) -> list[SentimentReading]:
        """Return one reading for each redacted text, given its vector and its question's intent."""
        settings = self._head.settings
        logits = self._head.logits(embeddings, intents, texts) / float(settings["temperature"])
        return read_levels(
            level_probabilities(with_known_answers(logits, texts, intents, settings["known_answers"]))
        )


def load_sentiment_model(encoder_version: str, folder: Path = MODELS_DIR) -> SentimentModel:
    """Load the model for an encoder; ModelError where it is absent, altered, or for another encoder."""
    return SentimentModel(load_head(HEAD_NAME, encoder_version, folder))


def known_answers(
    texts: Sequence[str], intents: Sequence[str], levels: NDArray[np.int64]
) -> dict[str, list[float]]:
    """Return what share of each kind of answer without a subject people put at each level, by what was asked.

    "Nothing" has no words to weigh: what it means is known from what was asked. Keys are `kind|intent`.
    """
    counts = {
        f"{kind}|{intent}": np.array(expected) * EXPECTATION_WEIGHT
        for kind, expected in EXPECTED_LEVELS.items()
        for intent in INTENTS
    }
    for text, intent, level in zip(texts, intents, levels, strict=True):
        if level >= 0 and (key := answer_key(text, intent)) in counts:
            counts[key][level] += 1.0
    return {key: np.round(count / count.sum(), READING_DIGITS).tolist() for key, count in counts.items()}


def with_known_answers(
    logits: NDArray[np.float64],
    texts: Sequence[str],
    intents: Sequence[str],
    shares: Mapping[str, Sequence[float]],
) -> NDArray[np.float64]:
    """Return the logits with those of answers without a subject put in place, shape (texts, 5)."""
    read = logits.copy()
    for row, (text, intent) in enumerate(zip(texts, intents, strict=True)):
        share = shares.get(answer_key(text, intent))
        if share is not None:
            read[row] = np.log(np.maximum(share, 1e-4))
    return read


def level_probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each level, worst first, shape (texts, 5)."""
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponential / exponential.sum(axis=1, keepdims=True)
    return probabilities


def read_levels(probabilities: NDArray[np.float64]) -> list[SentimentReading]:
    best = probabilities.argmax(axis=1)
    scores = np.clip(probabilities @ LEVEL_SCORES, -1.0, 1.0)
    return [
        SentimentReading(
            LEVELS[level], round(float(score), READING_DIGITS), round(float(row[level]), READING_DIGITS)
        )
        for level, score, row in zip(best, scores, probabilities, strict=True)
    ]
