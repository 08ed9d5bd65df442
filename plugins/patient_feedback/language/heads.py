"""What sentiment and topics share: small models on an embedding, kept as safetensors with a manifest.

A head reads three things: the vector of a text, the intent of the question it answers, and the
words of the text as hashed counts. Words are hashed, so the files hold no vocabulary: no word of a
patient can be read from them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import QuestionIntent
from patient_feedback.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MODELS_DIR = Path(__file__).resolve().parent / "models"
INTENTS = tuple(QuestionIntent)
HASH_BUCKETS = 2**14
VERSION_HEX_DIGITS = 8
READING_DIGITS = 4
"""Scores and confidences are rounded to this many decimals."""
MANIFEST_FIELDS = frozenset({"version", "encoder_version", "weights_file", "weights_sha256", "labels"})


def intent_columns(intents: Sequence[str]) -> NDArray[np.float32]:
    """Return one 0/1 column for each intent, shape (texts, 3). Raises ValueError on another intent."""
    positions = {intent.value: i for i, intent in enumerate(INTENTS)}
    columns = np.zeros((len(intents), len(INTENTS)), np.float32)
    for row, intent in enumerate(intents):
        if intent not in positions:
            raise ValueError(f"The question intent {intent!r} is none of: {', '.join(positions)}.")
        columns[row, positions[intent]] = 1.0
    return columns


def hashed_words(texts: Sequence[str], intents: Sequence[str]) -> csr_matrix:
    """Return hashed counts of words and pairs, alone and crossed with the intent; rows of length 1.

    The cross lets "nothing" count one way after "What was good?" and the other way after "What
    could we do better?". Shape (texts, HASH_BUCKETS).
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(n_features=HASH_BUCKETS, alternate_sign=False, analyzer=_phrases)
    hashed: csr_matrix = vectorizer.transform(zip(texts, intents, strict=True)).astype(np.float32)
    return hashed


def _phrases(text_and_intent: tuple[str, str]) -> list[str]:
    from patient_feedback.words import words

    text, intent = text_and_intent
    listed = words(text)
    phrases = listed + [f"{a} {b}" for a, b in pairwise(listed)]
    return phrases + [f"{intent}|{phrase}" for phrase in phrases]


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head: a linear path or a hidden layer for vector and intent, a linear path for words."""

    version: str
    encoder_version: str
    labels: tuple[str, ...]
    settings: dict[str, Any]
    """What a reading needs beside the weights, such as thresholds."""
    weights: dict[str, NDArray[np.float32]]

    def logits(
        self, embeddings: NDArray[np.float32], intents: Sequence[str], texts: Sequence[str]
    ) -> NDArray[np.float64]:
        """Return one number for each label, shape (texts, labels); ModelError on vectors of another width."""
        if not len(embeddings) == len(intents) == len(texts):
            raise ValueError(
                f"{len(embeddings)} vectors, {len(intents)} intents, {len(texts)} texts: "
                "give the same number of each."
            )
        reader = "hidden.embedding" if "hidden.embedding" in self.weights else "output.embedding"
        expected = self.weights[reader].shape[0]
        if embeddings.ndim != 2 or embeddings.shape[1] != expected:
            raise ModelError(
                f"{self.version} reads vectors of {expected} numbers from {self.encoder_version}, "
                f"given shape {embeddings.shape}: embed the texts with that encoder."
            )
        return read_twice(self.weights, embeddings, intents, texts)


def read_twice(
    weights: dict[str, NDArray[np.float32]],
    embeddings: NDArray[np.float32],
    intents: Sequence[str],
    texts: Sequence[str],
) -> NDArray[np.float64]:
    """Return the mean of two outputs, shape (texts, labels): knowing what was asked, and not knowing it."""
    unasked = [QuestionIntent.OPEN.value] * len(texts)
    read = [
        forward(weights, embeddings, intent_columns(asked), hashed_words(texts, asked))
        for asked in (intents, unasked)
    ]
    return 0.5 * (read[0] + read[1])


def forward(
    weights: dict[str, NDArray[np.float32]],
    embeddings: NDArray[np.float32],
    intents: NDArray[np.float32],
    phrases: csr_matrix,
) -> NDArray[np.float64]:
    """Return the head's output before any link function, shape (texts, labels).

    In double precision: how a sum is ordered depends on how many texts are read at once, and a
    reading must not.
    """
    exact = {name: values.astype(np.float64) for name, values in weights.items()}
    vectors = embeddings.astype(np.float64)
    logits: NDArray[np.float64] = intents @ exact["output.intent"] + phrases @ exact["output.words"]
    if "output.embedding" in exact:
        logits = logits + vectors @ exact["output.embedding"]
    if "hidden.embedding" in exact:
        hidden = np.maximum(vectors @ exact["hidden.embedding"] + intents @ exact["hidden.intent"], 0.0)
        logits = logits + hidden @ exact["output.hidden"]
    return logits


def save_head(
    folder: Path,
    name: str,
    number: str,
    encoder_version: str,
    labels: Sequence[str],
    weights: dict[str, NDArray[np.float32]],
    details: dict[str, Any],
) -> str:
    """Write `<name>.safetensors` (float16) and `<name>.json`; return the version."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    stored = save({key: np.ascontiguousarray(weights[key], np.float16) for key in sorted(weights)})
    digest = hashlib.sha256(stored).hexdigest()
    version = f"{name}-{number}+{digest[:VERSION_HEX_DIGITS]}"
    manifest = {
        "version": version,
        "encoder_version": encoder_version,
        "weights_file": f"{name}.safetensors",
        "weights_sha256": digest,
        "labels": list(labels),
        **details,
    }
    (folder / f"{name}.safetensors").write_bytes(stored)
    (folder / f"{name}.json").write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return version


def load_head(name: str, encoder_version: str, folder: Path = MODELS_DIR) -> Head:
    """Load a head for `encoder_version`; ModelError where it is absent, altered, or for another encoder."""
    from safetensors.numpy import load

    manifest_path = folder / f"{name}.json"
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        if missing := sorted(MANIFEST_FIELDS - manifest.keys()):
            raise ModelError(
                f"{manifest_path} lacks {', '.join(missing)}: train it again (`patient-feedback train`)."
            )
        stored = (folder / manifest["weights_file"]).read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename} is missing: restore it, or train it with `patient-feedback train`."
        ) from None
    except json.JSONDecodeError:
        raise ModelError(
            f"{manifest_path} is no JSON: restore it, or train the head with `patient-feedback train`."
        ) from None
    if (found := hashlib.sha256(stored).hexdigest()) != manifest["weights_sha256"]:
        raise ModelError(
            f"The weights of {manifest['version']} have SHA-256 {found}, expected "
            f"{manifest['weights_sha256']}: they were altered. "
            "Restore the file, or train the head again (`patient-feedback train`)."
        )
    if manifest["encoder_version"] != encoder_version:
        raise ModelError(
            f"{manifest['version']} was trained on vectors of {manifest['encoder_version']}, the encoder in "
            f"use is {encoder_version}. Set FEEDBACK_ENCODER back, or train heads for it "
            "(`patient-feedback train`)."
        )
    return Head(
        version=manifest["version"],
        encoder_version=manifest["encoder_version"],
        labels=tuple(manifest["labels"]),
        settings=manifest,
        weights={key: value.astype(np.float32) for key, value in load(stored).items()},
    )
