from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from patient_feedback.errors import FeedbackError
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.fitting import LevelSettings
from patient_feedback.language.labelled import read_labelled
from patient_feedback.language.sentiment import LEVELS, load_sentiment_model
from patient_feedback.language.topics import load_topic_model
from patient_feedback.language.training import (
    FixedVectors,
    TrainingSettings,
    cross_fit,
    folds_by_group,
    train,
)
from patient_feedback.language.written_examples import EXAMPLES_FILE, with_written_examples

SUBJECTS = {"Timeliness of care": "wait", "Food & drink provision & facilities": "soup"}
LABELS = {1: "wonderful", 2: "good", 3: "average", 4: "poor", 5: "dreadful"}
QUICK = TrainingSettings(levels=LevelSettings(hidden=16, epochs=10), level_starts=2)


class WordEncoder:
    """Stands in for the model: a fixed random vector for each word, summed."""

    version = "word-encoder+00000000"
    dimensions = 32
    languages = frozenset({"en"})

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = np.stack([sum((self._vector(word) for word in t.split()), np.zeros(32)) for t in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _vector(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
        return np.random.default_rng(seed).normal(size=32)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    columns = ["FFT question", "FFT answer", "Comment sentiment", "Not assigned", *SUBJECTS, "Parking"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for number in range(200):
            level = 1 + number % 5
            subject = list(SUBJECTS)[number % 2]
            visit = chr(97 + number % 26) + chr(97 + number // 26)
            row = dict.fromkeys(columns, "0") | {
                "FFT question": "FFT Why?",
                "FFT answer": f"{LABELS[level]} {SUBJECTS[subject]} on visit {visit}",
                "Comment sentiment": str(level),
                subject: "1",
            }
            writer.writerow(row)
        writer.writerow(
            dict.fromkeys(columns, "0") | {"FFT answer": "Did not answer", "Comment sentiment": ""}
        )
        writer.writerow(
            dict.fromkeys(columns, "0") | {"FFT answer": "car park", "Comment sentiment": "", "Parking": "1"}
        )
    return path


def test_same_file_and_seed_give_the_same_bytes(labelled: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        train(labelled, tmp_path / name, encoder=WordEncoder(), settings=QUICK)
    for file in ("sentiment.safetensors", "sentiment.json", "topics.safetensors", "topics.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_trained_heads_read_what_the_labels_say(labelled: Path, tmp_path: Path) -> None:
    encoder = WordEncoder()
    trained = train(labelled, tmp_path / "models", encoder=encoder, settings=QUICK)
    sentiment = load_sentiment_model(encoder.version, tmp_path / "models")
    topics = load_topic_model(encoder.version, tmp_path / "models")
    assert (sentiment.version, topics.version) == (trained.sentiment_version, trained.topics_version)
    texts = ["wonderful wait", "dreadful soup"]
    readings = sentiment.score(encoder.encode(texts), ["open"] * 2, texts)
    assert [reading.label for reading in readings] == [LEVELS[4], LEVELS[0]]
    mentions = topics.mentions(encoder.encode(texts), ["open"] * 2, texts)
    assert [[m.topic_slug for m in found] for found in mentions] == [
        ["timeliness_of_care"],
        ["food_and_drink_provision_and_facilities"],
    ]


def test_rare_topic_is_left_out_and_said_so(labelled: Path, tmp_path: Path) -> None:
    import json

    train(labelled, tmp_path / "models", encoder=WordEncoder(), settings=QUICK)
    manifest = json.loads((tmp_path / "models" / "topics.json").read_text(encoding="utf-8"))
    assert manifest["not_predicted"] == {"parking": 1}
    assert "parking" not in manifest["labels"]


def test_no_comment_is_written_into_the_models(labelled: Path, tmp_path: Path) -> None:
    train(labelled, tmp_path / "models", encoder=WordEncoder(), settings=QUICK)
    for path in (tmp_path / "models").iterdir():
        assert b"wonderful" not in path.read_bytes()


def test_comments_are_read_without_their_own_labels(labelled: Path) -> None:
    comments = read_labelled(labelled)
    vectors = FixedVectors(WordEncoder().encode(list(with_written_examples(comments).texts)))
    fold_of = folds_by_group(comments.groups, 5)
    honest = cross_fit(comments, fold_of, settings=QUICK, source=vectors)
    held_out = fold_of == 0
    other_labels = np.where(held_out & (comments.levels >= 0), 4 - comments.levels, comments.levels)
    misled = cross_fit(replace(comments, levels=other_labels), fold_of, settings=QUICK, source=vectors)
    np.testing.assert_array_equal(honest.level_logits[held_out], misled.level_logits[held_out])
    assert not np.array_equal(honest.level_logits[~held_out], misled.level_logits[~held_out])


def test_written_examples_teach_known_topics_and_no_sentiment(labelled: Path, tmp_path: Path) -> None:
    comments = read_labelled(labelled)
    examples = tmp_path / "examples.yml"
    examples.write_text(
        "- topics: [parking]\n  comments: [No space for the car, Car park full]\n"
        "- topics: [unheard_of]\n  comments: [Something else]\n",
        encoding="utf-8",
    )
    learnable = with_written_examples(comments, examples)
    added = slice(len(comments.texts), None)
    assert learnable.texts[added] == ("No space for the car", "Car park full")
    assert learnable.topics[added].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert learnable.levels[added].tolist() == [-1, -1]


def test_shipped_examples_name_topics_of_the_taxonomy() -> None:
    seed = Path(__file__).parents[2] / "dbt_project" / "seeds" / "topics.csv"
    with seed.open(encoding="utf-8") as stream:
        known = {row["topic_slug"] for row in csv.DictReader(stream)}
    named = {slug for entry in yaml.safe_load(EXAMPLES_FILE.read_text("utf-8")) for slug in entry["topics"]}
    assert named <= known


def test_blank_comments_are_not_learnt_from(labelled: Path) -> None:
    comments = read_labelled(labelled)
    assert len(comments.texts) == 201
    assert comments.levels[:5].tolist() == [4, 3, 2, 1, 0]
    assert comments.levels[-1] == -1


def test_labelled_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("FFT answer\nfine\n", encoding="utf-8")
    with pytest.raises(FeedbackError, match="Comment sentiment"):
        read_labelled(path)


@pytest.mark.skipif(
    not os.environ.get("NHS_FFT_CSV"), reason="NHS_FFT_CSV is not set: no labelled data to measure on"
)
def test_heads_keep_their_quality_on_real_comments_they_did_not_see(encoder: Encoder, tmp_path: Path) -> None:
    figures = train(Path(os.environ["NHS_FFT_CSV"]), tmp_path, encoder=encoder).figures
    assert figures["sentiment"]["accuracy"]["value"] >= 0.67
    assert figures["sentiment"]["macro_f1"]["value"] >= 0.56
    assert figures["sentiment"]["mean_absolute_error"]["value"] <= 0.43
    assert figures["topics"]["micro_f1"]["value"] >= 0.69
    assert figures["topics"]["macro_f1"]["value"] >= 0.50
