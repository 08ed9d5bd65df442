"""Serious comments that no pattern foresaw: by the nearness of a comment's vector to written examples.

A small regression on the vectors of `serious_examples.yml`, fitted when it is needed, with any encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import yaml
from numpy.typing import NDArray

from patient_feedback.errors import ModelError
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.serious import VERSION_HEX_DIGITS, SeriousCategory
from patient_feedback.language.taxonomy import background_sentences
from patient_feedback.language.written_examples import EXAMPLES_FILE as EVERYDAY_FILE

EXAMPLES_FILE = Path(__file__).with_name("serious_examples.yml")
NEARNESS_RULES_VERSION = "1"
"""Goes up with any change of how nearness is read."""
NOT_SERIOUS = "none"
PENALTY = 10.0
"""C of the regression."""
THRESHOLD = 0.57
SEGMENT_THRESHOLD = 0.95
"""Higher than a whole text's: a part, read with its context taken out, says a lot of things that the whole does not.
Both were set on development data so that about one comment in twenty is listed (docs/model_cards/serious_comments.md)."""
CATEGORIES = tuple(SeriousCategory)


class SeriousNearness:
    """Probability of being serious, by category, of vectors of one encoder."""

    def __init__(self, weights: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        self._weights = weights
        self._offsets = offsets

    @classmethod
    def fit(cls, encoder: Encoder) -> Self:
        """Fit on the examples in the encoder's languages; everyday comments stand beside them."""
        from sklearn.linear_model import LogisticRegression

        texts, kinds = _examples(encoder.languages)
        model = LogisticRegression(C=PENALTY, max_iter=3000, class_weight="balanced")
        model.fit(encoder.encode(texts), kinds)
        return cls(model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64))

    def near(
        self,
        embeddings: NDArray[np.float32],
        segment_embeddings: NDArray[np.float32],
        segment_owners: Sequence[int],
    ) -> list[SeriousCategory | None]:
        """Return for each text the category that it, or one of its segments, is near enough to; else None.

        `segment_owners` names for each segment the row of its text.
        """
        found: list[SeriousCategory | None] = [None] * len(embeddings)
        for row, category in _above(self._shares(embeddings), THRESHOLD):
            found[row] = category
        if len(segment_embeddings):
            for part, category in _above(self._shares(segment_embeddings), SEGMENT_THRESHOLD):
                found[segment_owners[part]] = found[segment_owners[part]] or category
        return found

    def _shares(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities, shape (texts, 1 + categories): not serious first."""
        if vectors.ndim != 2 or vectors.shape[1] != len(self._weights):
            raise ModelError(
                f"Nearness to serious examples reads vectors of {len(self._weights)} numbers, given shape "
                f"{vectors.shape}: embed the texts with the encoder that it was fitted with."
            )
        logits = vectors.astype(np.float64) @ self._weights + self._offsets
        strength = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = strength / strength.sum(axis=1, keepdims=True)
        return shares


def nearness_version(encoder_version: str) -> str:
    deciding = b"".join(path.read_bytes() for path in (EXAMPLES_FILE, EVERYDAY_FILE))
    digest = hashlib.sha256(deciding + "\n".join(background_sentences()).encode()).hexdigest()
    return f"near-{NEARNESS_RULES_VERSION}+{digest[:VERSION_HEX_DIGITS]}+{encoder_version}"


def _above(shares: NDArray[np.float64], threshold: float) -> list[tuple[int, SeriousCategory]]:
    return [
        (int(row), CATEGORIES[int(shares[row, 1:].argmax())])
        for row in np.flatnonzero(1.0 - shares[:, 0] >= threshold)
    ]


def _examples(languages: frozenset[str]) -> tuple[list[str], list[int]]:
    """Return texts and what each is: 0 not serious, else the place of its category from 1."""
    place = {
        NOT_SERIOUS: 0,
        **{category.value: number for number, category in enumerate(CATEGORIES, start=1)},
    }
    declared = yaml.safe_load(EXAMPLES_FILE.read_text(encoding="utf-8"))
    everyday = yaml.safe_load(EVERYDAY_FILE.read_text(encoding="utf-8"))
    written = [
        (text, place[kind])
        for language, by_kind in declared.items()
        # English ones stand in where the encoder knows neither language that examples are written in.
        if language in languages or (language == "en" and languages.isdisjoint(declared))
        for kind, texts in by_kind.items()
        for text in texts
    ]
    beside = [*background_sentences(), *(text for entry in everyday for text in entry["comments"])]
    return [*(text for text, _ in written), *beside], [*(kind for _, kind in written), *[0] * len(beside)]
