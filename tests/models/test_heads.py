from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from patient_feedback.errors import ModelError
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.heads import MODELS_DIR
from patient_feedback.language.sentiment import (
    SentimentReading,
    known_answers,
    load_sentiment_model,
    with_known_answers,
)
from patient_feedback.language.topics import load_topic_model
from patient_feedback.language.training import SENTIMENT_NUMBER, TOPICS_NUMBER

GOOD = [
    "The staff were wonderful, kind and caring.",
    "Excellent service from start to finish, thank you so much.",
    "Everybody was friendly and I felt safe and listened to.",
]
BAD = [
    "Waited five hours, the receptionist was rude and nobody cared.",
    "Appalling. I was left in pain and ignored.",
    "Nobody rings back and appointments are cancelled without notice.",
]


def read_sentiment(encoder: Encoder, texts: list[str], intent: str) -> list[SentimentReading]:
    model = load_sentiment_model(encoder.version)
    return model.score(encoder.encode(texts), [intent] * len(texts), texts)


def found_topics(encoder: Encoder, text: str, intent: str = "open") -> set[str]:
    model = load_topic_model(encoder.version)
    return {mention.topic_slug for mention in model.mentions(encoder.encode([text]), [intent], [text])[0]}


def test_clearly_good_and_bad_comments_score_on_their_own_side(encoder: Encoder) -> None:
    assert all(reading.score > 0.3 for reading in read_sentiment(encoder, GOOD, "open"))
    assert all(reading.score < -0.2 for reading in read_sentiment(encoder, BAD, "open"))


def test_nothing_is_praise_or_blame_by_what_was_asked(encoder: Encoder) -> None:
    for text in ("Nothing.", "nothing at all", "NOTHING"):
        assert read_sentiment(encoder, [text], "what_to_improve")[0].score > 0.5
        assert read_sentiment(encoder, [text], "what_was_good")[0].score < -0.3


def test_reading_is_the_same_alone_and_among_others(encoder: Encoder) -> None:
    together = read_sentiment(encoder, GOOD + BAD, "open")
    assert [read_sentiment(encoder, [text], "open")[0] for text in GOOD + BAD] == together


def test_score_and_confidence_stay_in_their_ranges(encoder: Encoder) -> None:
    for reading in read_sentiment(encoder, [*GOOD, *BAD, "", "[PERSON]", "?!"], "open"):
        assert -1 <= reading.score <= 1
        assert 0.2 <= reading.confidence <= 1


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("The food was cold and there was little choice of meals", "food_and_drink_provision_and_facilities"),
        ("I had to wait four hours to be seen", "timeliness_of_care"),
        ("You need to employ more staff", "number_and_deployment_of_staff"),
        ("The nurse was friendly and polite", "staff_manner_and_personal_attributes"),
        (
            "They listened to me and understood my problem",
            "staff_listening_understanding_and_involving_patients",
        ),
    ],
)
def test_comment_on_a_subject_gets_its_topic(encoder: Encoder, text: str, topic: str) -> None:
    assert topic in found_topics(encoder, text)


def test_comment_on_two_subjects_gets_both_topics(encoder: Encoder) -> None:
    assert {"staff_manner_and_personal_attributes", "timeliness_of_care"} <= found_topics(
        encoder, "The crew were friendly and polite but the ambulance took hours to arrive"
    )


def test_published_taxonomy_says_which_topics_the_model_finds(encoder: Encoder, project_dir: Path) -> None:
    with (project_dir / "dbt_project" / "seeds" / "topics.csv").open(encoding="utf-8", newline="") as stream:
        taxonomy = {row["topic_slug"]: row["is_predicted"] for row in csv.DictReader(stream)}
    slugs = load_topic_model(encoder.version).topic_slugs
    assert len(slugs) == 36
    assert set(slugs) == {slug for slug, is_predicted in taxonomy.items() if is_predicted == "true"}


@pytest.mark.parametrize("load", [load_sentiment_model, load_topic_model])
def test_head_of_another_encoder_is_refused(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match=r"trained on vectors of all-MiniLM-L6-v2\+53aa5117"):
        load("another-model+00000000")


@pytest.mark.parametrize(
    ("load", "name"), [(load_sentiment_model, "sentiment"), (load_topic_model, "topics")]
)
def test_altered_weights_of_a_head_are_refused(encoder: Encoder, tmp_path: Path, load, name: str) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(MODELS_DIR, tmp_path, dirs_exist_ok=True)
    assert load(encoder.version, tmp_path).version.startswith(f"{name}-")
    weights = tmp_path / f"{name}.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="altered"):
        load(encoder.version, tmp_path)


def test_missing_head_says_how_to_get_it(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="patient-feedback train"):
        load_sentiment_model(encoder.version, tmp_path)


def test_vectors_of_another_width_are_refused(encoder: Encoder) -> None:
    model = load_sentiment_model(encoder.version)
    with pytest.raises(ModelError, match="embed the texts with that encoder"):
        model.score(np.zeros((1, 768), np.float32), ["open"], ["text"])


def test_unknown_intent_is_refused(encoder: Encoder) -> None:
    model = load_sentiment_model(encoder.version)
    with pytest.raises(ValueError, match="what_was_good, what_to_improve, open"):
        model.score(np.zeros((1, encoder.dimensions), np.float32), ["why"], ["text"])


def test_shipped_models_are_small_and_name_their_origin() -> None:
    assert sum(path.stat().st_size for path in (MODELS_DIR / "adapter").iterdir()) < 3_000_000
    for name, number in (("sentiment", SENTIMENT_NUMBER), ("topics", TOPICS_NUMBER)):
        manifest = json.loads((MODELS_DIR / f"{name}.json").read_text(encoding="utf-8"))
        assert manifest["version"] == f"{name}-{number}+{manifest['weights_sha256'][:8]}"
        assert {"dataset", "file_sha256", "comment_count"} <= manifest["trained_on"].keys()
        assert manifest["figures"]["macro_f1"]["low"] < manifest["figures"]["macro_f1"]["high"]


@pytest.mark.parametrize("card", ["encoder", "sentiment", "topics", "themes", "language_detection"])
def test_every_model_has_a_card(project_dir: Path, card: str) -> None:
    text = (project_dir / "docs" / "model_cards" / f"{card}.md").read_text(encoding="utf-8")
    for heading in ("## What it does", "## Data and licence", "## Figures", "## Limits", "## Out of scope"):
        assert heading in text


@pytest.mark.parametrize("name", ["sentiment", "topics"])
def test_card_names_the_shipped_version(project_dir: Path, name: str) -> None:
    manifest = json.loads((MODELS_DIR / f"{name}.json").read_text(encoding="utf-8"))
    assert manifest["version"] in (project_dir / "docs" / "model_cards" / f"{name}.md").read_text(
        encoding="utf-8"
    )


def test_answers_without_a_subject_are_read_by_what_was_asked() -> None:
    labelled = known_answers(
        ["Nothing", "Nothing", "N/A"], ["what_to_improve"] * 2 + ["open"], np.array([4, 4, 2])
    )
    logits = np.zeros((4, 5))
    texts = ["Nothing at all", "Nothing at all", "no comment", "Nothing was explained to me"]
    intents = ["what_to_improve", "what_was_good", "open", "open"]
    read = with_known_answers(logits, texts, intents, labelled)
    assert [int(row.argmax()) for row in read[:3]] == [4, 0, 2]
    np.testing.assert_array_equal(read[3], logits[3])


def test_labelled_answers_outweigh_what_is_expected() -> None:
    texts, intents = ["None"] * 50, ["open"] * 50
    assert int(np.argmax(known_answers([], [], np.array([]))["nothing|open"])) == 2
    assert int(np.argmax(known_answers(texts, intents, np.full(50, 4))["nothing|open"])) == 4


@pytest.mark.parametrize("text", ["N/A", "Don't know", "-", "as above"])
def test_no_answer_is_neutral_whatever_people_who_said_nothing_meant(encoder: Encoder, text: str) -> None:
    model = load_sentiment_model(encoder.version)
    for intent in ("open", "what_was_good", "what_to_improve"):
        [reading] = model.score(encoder.encode([text]), [intent], [text])
        assert reading.label == "neutral"
