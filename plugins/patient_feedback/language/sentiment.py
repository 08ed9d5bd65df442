"""How good or bad the experience was that a comment tells of: five levels and a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import SentimentLabel
from patient_feedback.language.heads import MODELS_DIR, READING_DIGITS, Head, load_head

HEAD_NAME = "sentiment"
LEVELS = tuple(SentimentLabel)
"""Worst first."""
LEVEL_SCORES = np.linspace(-1.0, 1.0, len(LEVELS))


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
        logits = self._head.logits(embeddings, intents, texts)
        return read_levels(level_probabilities(logits, float(self._head.settings["temperature"])))


def load_sentiment_model(encoder_version: str, folder: Path = MODELS_DIR) -> SentimentModel:
    """Load the model for an encoder; ModelError where it is absent, altered, or for another encoder."""
    return SentimentModel(load_head(HEAD_NAME, encoder_version, folder))


def level_probabilities(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return the probability of each level, worst first, shape (texts, 5)."""
    scaled = logits / temperature
    exponential = np.exp(scaled - scaled.max(axis=1, keepdims=True))
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
