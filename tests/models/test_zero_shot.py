"""Taxonomies and encoders that nobody trained for are read by written words, at a quality that is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from patient_feedback.errors import ModelError
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.heads import MODELS_DIR
from patient_feedback.language.readers import (
    load_sentiment_reader,
    load_topic_reader,
    sentiment_reader_version,
    topic_reader_version,
    trained_topic_model,
)
from patient_feedback.language.taxonomy import TaxonomyReader, load_taxonomy
from patient_feedback.language.zero_shot import ZeroShotSentiment, ZeroShotTopics

OTHER = "another-model+00000000"


@pytest.fixture(scope="module")
def digital_access(encoder: Encoder, project_dir: Path) -> TaxonomyReader:
    return TaxonomyReader.fit(
        encoder, load_taxonomy(project_dir / "examples" / "taxonomies" / "digital_access.yml")
    )


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I tried to book an appointment on your website but it did not let me", "booking_online"),
        ("The app will not accept my password and I cannot log in", "logging_in"),
        ("The video call with the doctor kept freezing", "video_consultation"),
        ("My blood test results were in the app the next day", "results_online"),
    ],
)
def test_declared_taxonomy_finds_its_labels_with_and_without_examples(
    encoder: Encoder, digital_access: TaxonomyReader, text: str, label: str
) -> None:
    found = digital_access.mentions(encoder.encode([text]), ["open"], [text])[0]
    assert found[0].topic_slug == f"digital_access__{label}"
    assert 0 < found[0].confidence <= 1


@pytest.mark.parametrize("text", ["The nurse was kind and gentle", "The soup was cold", "Nothing", "N/A"])
def test_comment_on_anything_else_has_no_label(
    encoder: Encoder, digital_access: TaxonomyReader, text: str
) -> None:
    assert digital_access.mentions(encoder.encode([text]), ["open"], [text]) == [[]]


def test_label_of_one_part_is_one_of_the_comment(encoder: Encoder, digital_access: TaxonomyReader) -> None:
    text = "The nurses were lovely and the ward was clean, but I cannot log in to the app with my password."
    part = "but I cannot log in to the app with my password."
    by_parts = digital_access.mentions(encoder.encode([text]), ["open"], [text], encoder.encode([part]), [0])[
        0
    ]
    assert "digital_access__logging_in" in {mention.topic_slug for mention in by_parts}


def test_encoder_without_heads_is_read_by_descriptions_and_says_so(encoder: Encoder) -> None:
    assert sentiment_reader_version(OTHER).startswith("zero_shot_sentiment+")
    assert topic_reader_version(OTHER).startswith("zero_shot_topics+")
    sentiment = load_sentiment_reader(OTHER, lambda: encoder)
    topics = load_topic_reader(OTHER, lambda: encoder)
    assert isinstance(sentiment, ZeroShotSentiment) and isinstance(topics, ZeroShotTopics)
    texts = [
        "Everybody was wonderful, the best care I ever had, thank you",
        "Appalling, I was ignored and left in pain for hours",
        "Nothing",
        "Nothing",
    ]
    good, bad, praise, blame = sentiment.score(
        encoder.encode(texts), ["open", "open", "what_to_improve", "what_was_good"], texts
    )
    assert good.score > 0.3 > -0.3 > bad.score
    assert praise.score > 0.5 > -0.5 > blame.score
    text = "The meals were cold and there was little choice of food"
    assert topics.mentions(encoder.encode([text]), ["open"], [text])[0][0].topic_slug == (
        "food_and_drink_provision_and_facilities"
    )
    assert trained_topic_model(OTHER) is None


def test_trained_heads_are_used_for_their_encoder_wherever_they_lie(tmp_path: Path) -> None:
    trained_for = json.loads((MODELS_DIR / "topics.json").read_text(encoding="utf-8"))["encoder_version"]
    assert topic_reader_version(trained_for).startswith("topics-")
    assert sentiment_reader_version(trained_for).startswith("sentiment-")
    shutil.copytree(MODELS_DIR, tmp_path / "mine")
    assert topic_reader_version(trained_for, tmp_path) == topic_reader_version(trained_for)


def test_altered_or_missing_heads_are_an_error_and_never_replaced_by_descriptions(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="patient-feedback train"):
        sentiment_reader_version(OTHER, tmp_path)
    shutil.copytree(MODELS_DIR, tmp_path, dirs_exist_ok=True)
    trained_for = json.loads((tmp_path / "sentiment.json").read_text(encoding="utf-8"))["encoder_version"]
    weights = tmp_path / "sentiment.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(ModelError, match="altered"):
        sentiment_reader_version(trained_for, tmp_path)


def test_vectors_of_another_width_and_a_foreign_language_are_refused(
    encoder: Encoder, digital_access: TaxonomyReader, project_dir: Path
) -> None:
    with pytest.raises(ModelError, match="embed the texts with the encoder"):
        digital_access.mentions(np.zeros((1, 7), np.float32), ["open"], ["text"])
    taxonomy = load_taxonomy(project_dir / "examples" / "taxonomies" / "digital_access.yml")
    with pytest.raises(ModelError, match="is written in 'fi'"):
        TaxonomyReader.fit(encoder, taxonomy.model_copy(update={"language": "fi"}))
