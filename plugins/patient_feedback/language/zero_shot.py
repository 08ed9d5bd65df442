"""Sentiment and topics for an encoder that no head was trained for: read by written descriptions alone.

Everything works with any encoder, at a lower quality that the version says: it begins with `zero_shot`. The
descriptions are English; an encoder of several languages puts what means the same near to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Self

import numpy as np
import yaml
from numpy.typing import NDArray

from patient_feedback.errors import ModelError
from patient_feedback.language.answer_kind import CommentReading, answer_kind
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.sentiment import LEVELS, SentimentReading, read_levels
from patient_feedback.language.taxonomy import (
    DESCRIPTIONS,
    SEPARATOR,
    VERSION_HEX_DIGITS,
    TaxonomyReader,
    framework,
)
from patient_feedback.language.topics import TopicMention

PREFIX = "zero_shot"
DESCRIPTION_LANGUAGE = "en"
SENTIMENT_RULES_VERSION = "1"
"""Goes up with any change of how levels are read."""
PENALTY = 10.0
"""C of the regression on the written sentences: its confidence is then about as high as it is often right."""
LEVEL_OF_ANSWER = {
    CommentReading.NOTHING_TO_IMPROVE: 4,
    CommentReading.NOTHING_WAS_GOOD: 0,
    CommentReading.NO_CONTENT: 2,
}
"""What an answer without a subject says of the experience; how often people agree is in the model card."""
ANSWER_CONFIDENCE = 0.8


def zero_shot_sentiment_version(encoder_version: str) -> str:
    deciding = json.dumps([level_sentences(), SENTIMENT_RULES_VERSION])
    return f"{PREFIX}_sentiment+{_digest(deciding)}+{encoder_version}"


def zero_shot_topics_version(encoder_version: str) -> str:
    return f"{PREFIX}_topics+{framework().reader_version(encoder_version)}"


class ZeroShotSentiment:
    """Five levels by their nearness to written sentences of each level."""

    def __init__(self, version: str, weights: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        self._version = version
        self._weights = weights
        self._offsets = offsets

    @classmethod
    def fit(cls, encoder: Encoder) -> Self:
        from sklearn.linear_model import LogisticRegression

        _require_language(encoder)
        sentences = [(level, text) for level, texts in enumerate(level_sentences()) for text in texts]
        model = LogisticRegression(C=PENALTY, max_iter=1000)
        model.fit(encoder.encode([text for _, text in sentences]), [level for level, _ in sentences])
        return cls(
            zero_shot_sentiment_version(encoder.version),
            model.coef_.T.astype(np.float64),
            model.intercept_.astype(np.float64),
        )

    @property
    def version(self) -> str:
        return self._version

    def score(
        self, embeddings: NDArray[np.float32], intents: Sequence[str], texts: Sequence[str]
    ) -> list[SentimentReading]:
        """Return one reading for each redacted text, given its vector and its question's intent."""
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self._weights):
            raise ModelError(
                f"{self.version} reads vectors of {len(self._weights)} numbers, given shape {embeddings.shape}: "
                "embed the texts with the encoder that it was fitted with."
            )
        logits = embeddings.astype(np.float64) @ self._weights + self._offsets
        strength = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = strength / strength.sum(axis=1, keepdims=True)
        for row, (text, intent) in enumerate(zip(texts, intents, strict=True)):
            level = LEVEL_OF_ANSWER.get(answer_kind(text, intent))
            if level is not None:
                probabilities[row] = (1 - ANSWER_CONFIDENCE) / (len(LEVELS) - 1)
                probabilities[row, level] = ANSWER_CONFIDENCE
        return read_levels(probabilities)


class ZeroShotTopics:
    """Topics of the fixed taxonomy by their descriptions; the same shape as the trained model."""

    def __init__(self, version: str, reader: TaxonomyReader) -> None:
        self._version = version
        self._reader = reader

    @classmethod
    def fit(cls, encoder: Encoder) -> Self:
        _require_language(encoder)
        return cls(zero_shot_topics_version(encoder.version), TaxonomyReader.fit(encoder, framework()))

    @property
    def version(self) -> str:
        return self._version

    @property
    def topic_slugs(self) -> tuple[str, ...]:
        return tuple(slug.partition(SEPARATOR)[2] for slug in self._reader.topic_slugs)

    def mentions(
        self,
        embeddings: NDArray[np.float32],
        intents: Sequence[str],
        texts: Sequence[str],
        segment_embeddings: NDArray[np.float32] | None = None,
        segment_owners: Sequence[int] = (),
    ) -> list[list[TopicMention]]:
        """Return the topics of each redacted text, most probable first, if any."""
        found = self._reader.mentions(embeddings, intents, texts, segment_embeddings, segment_owners)
        return [
            [TopicMention(each.topic_slug.partition(SEPARATOR)[2], each.confidence) for each in mentions]
            for mentions in found
        ]


@cache
def level_sentences() -> tuple[tuple[str, ...], ...]:
    """Return written sentences for each level, worst first."""
    text = (DESCRIPTIONS / "sentiment_levels.yml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text)
    return tuple(tuple(listed[level.value]) for level in LEVELS)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_HEX_DIGITS]


def _require_language(encoder: Encoder) -> None:
    if DESCRIPTION_LANGUAGE not in encoder.languages:
        raise ModelError(
            f"The encoder {encoder.version} reads {', '.join(sorted(encoder.languages))} and no English: the "
            "descriptions that stand in for trained heads are English. Train heads for it (`patient-feedback "
            "train`), or set FEEDBACK_ENCODER to one that reads English too."
        )
