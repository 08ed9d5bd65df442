"""Which topics of the NHS patient-experience framework a comment speaks of; several, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.heads import MODELS_DIR, READING_DIGITS, Head, load_head

HEAD_NAME = "topics"


@dataclass(frozen=True, slots=True)
class TopicMention:
    topic_slug: str
    confidence: float
    """0..1: the probability of the topic; at least the topic's own threshold."""


class TopicModel:
    def __init__(self, head: Head) -> None:
        self._head = head
        self._thresholds = np.array([head.settings["thresholds"][label] for label in head.labels])

    @property
    def version(self) -> str:
        return self._head.version

    @property
    def topic_slugs(self) -> tuple[str, ...]:
        """The topics that this model can find; the taxonomy holds rarer ones too."""
        return self._head.labels

    def linear_readers(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return weights (dimensions, topics) and offsets (topics,) of readers that know the vector alone.

        sigmoid(embeddings @ weights + offsets) is the probability of each of `topic_slugs`. None for a
        head that was trained before heads kept such readers.
        """
        weights = self._head.weights
        return (
            (weights["reader.embedding"], weights["reader.offset"][0])
            if "reader.embedding" in weights
            else None
        )

    def mentions(
        self, embeddings: NDArray[np.float32], intents: Sequence[str], texts: Sequence[str]
    ) -> list[list[TopicMention]]:
        """Return the topics of each redacted text, most probable first, if any."""
        probabilities = topic_probabilities(
            self._head.logits(embeddings, intents, texts),
            float(self._head.settings["margin_slope"]),
            float(self._head.settings["margin_offset"]),
        )
        return [
            [
                TopicMention(self._head.labels[i], round(float(row[i]), READING_DIGITS))
                for i in np.argsort(-row, kind="stable")
                if row[i] >= self._thresholds[i]
            ]
            for row in probabilities
        ]


def load_topic_model(encoder_version: str, folder: Path = MODELS_DIR) -> TopicModel:
    """Load the model for an encoder; ModelError where it is absent, altered, or for another encoder."""
    return TopicModel(load_head(HEAD_NAME, encoder_version, folder))


def topic_probabilities(margins: NDArray[np.float64], slope: float, offset: float) -> NDArray[np.float64]:
    """Return the probability of each topic, shape (texts, topics), from the margins of the classifiers."""
    scaled = np.clip(slope * margins + offset, -30, 30)
    probabilities: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-scaled))
    return probabilities
