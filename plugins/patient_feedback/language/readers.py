"""Which models read sentiment and topics: the heads trained for the encoder, else its written descriptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language import sentiment, topics
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.heads import MODELS_DIR
from patient_feedback.language.sentiment import SentimentModel, SentimentReading, load_sentiment_model
from patient_feedback.language.topics import TopicMention, TopicModel, load_topic_model


class SentimentReader(Protocol):
    @property
    def version(self) -> str: ...

    def score(
        self, embeddings: NDArray[np.float32], intents: Sequence[str], texts: Sequence[str]
    ) -> list[SentimentReading]: ...


class TopicReader(Protocol):
    """A reader of topics; `read_topics` hands parts of texts to those that take them."""

    @property
    def version(self) -> str: ...


def trained_sentiment_model(encoder_version: str, folder: Path = MODELS_DIR) -> SentimentModel | None:
    """Return the head trained for the encoder, None where heads are there but none for it.

    Raises ModelError where the head for it was altered, or where there are no heads at all.
    """
    found = _folder_of(sentiment.HEAD_NAME, encoder_version, folder)
    return load_sentiment_model(encoder_version, found) if found else None


def trained_topic_model(encoder_version: str, folder: Path = MODELS_DIR) -> TopicModel | None:
    """The same for topics."""
    found = _folder_of(topics.HEAD_NAME, encoder_version, folder)
    return load_topic_model(encoder_version, found) if found else None


def sentiment_reader_version(encoder_version: str, folder: Path = MODELS_DIR) -> str:
    """Return the version of the reader in force, without loading the encoder."""
    from patient_feedback.language.zero_shot import zero_shot_sentiment_version

    trained = trained_sentiment_model(encoder_version, folder)
    return trained.version if trained else zero_shot_sentiment_version(encoder_version)


def topic_reader_version(encoder_version: str, folder: Path = MODELS_DIR) -> str:
    """Return the version of the reader in force, without loading the encoder."""
    from patient_feedback.language.zero_shot import zero_shot_topics_version

    trained = trained_topic_model(encoder_version, folder)
    return trained.version if trained else zero_shot_topics_version(encoder_version)


def load_sentiment_reader(
    encoder_version: str, encoder: Callable[[], Encoder], folder: Path = MODELS_DIR
) -> SentimentReader:
    """Return the reader in force; `encoder` is called only where descriptions have to be embedded."""
    from patient_feedback.language.zero_shot import ZeroShotSentiment

    return trained_sentiment_model(encoder_version, folder) or ZeroShotSentiment.fit(encoder())


def load_topic_reader(
    encoder_version: str, encoder: Callable[[], Encoder], folder: Path = MODELS_DIR
) -> TopicReader:
    """Return the reader in force; `encoder` is called only where descriptions have to be embedded."""
    from patient_feedback.language.zero_shot import ZeroShotTopics

    return trained_topic_model(encoder_version, folder) or ZeroShotTopics.fit(encoder())


def read_topics(
    reader: TopicReader,
    embeddings: NDArray[np.float32],
    intents: Sequence[str],
    texts: Sequence[str],
    segment_embeddings: NDArray[np.float32],
    segment_owners: Sequence[int],
) -> list[list[TopicMention]]:
    """Return the topics of each text; a reader by descriptions looks at the parts of the texts too."""
    from patient_feedback.language.taxonomy import TaxonomyReader
    from patient_feedback.language.zero_shot import ZeroShotTopics

    if isinstance(reader, TaxonomyReader | ZeroShotTopics):
        return reader.mentions(embeddings, intents, texts, segment_embeddings, segment_owners)
    assert isinstance(reader, TopicModel)
    return reader.mentions(embeddings, intents, texts)


def _folder_of(name: str, encoder_version: str, folder: Path) -> Path | None:
    """Return the folder, or the one below it, whose head was trained for the encoder.

    Where no head lies anywhere the folder itself is returned: loading it says what is missing.
    """
    candidates = (
        [folder, *sorted(path for path in folder.iterdir() if path.is_dir())] if folder.is_dir() else []
    )
    manifests = [path / f"{name}.json" for path in candidates if (path / f"{name}.json").is_file()]
    if not manifests:
        return folder
    for manifest in manifests:
        try:
            trained_for = json.loads(manifest.read_text(encoding="utf-8")).get("encoder_version")
        except (json.JSONDecodeError, AttributeError):
            return manifest.parent  # loading it says what is wrong with it
        if trained_for == encoder_version:
            return manifest.parent
    return None
