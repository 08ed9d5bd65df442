"""An adapter is trained on a tiny encoder with BERT's build, saved, and merged on load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patient_feedback.language.adapter import AdapterSettings, AdapterTraining
from patient_feedback.language.labelled import LabelledComments

SUBJECTS = ("waiting", "food", "staff")
VERDICTS = ("awful", "poor", "fair", "good", "lovely")
QUICK = AdapterSettings(
    rank=4, alpha=8, first_layer=1, epochs=12, batch=12, learning_rate=5e-3, geometry_weight=0.1
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of two layers with random weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *SUBJECTS, *VERDICTS, "the", "was"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=16)
    model = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="module")
def comments() -> LabelledComments:
    pairs = [(s, v) for s in range(len(SUBJECTS)) for v in range(len(VERDICTS))] * 4
    texts = tuple(f"the {SUBJECTS[s]} was {VERDICTS[v]}" for s, v in pairs)
    return LabelledComments(
        sha256="",
        texts=texts,
        intents=("open",) * len(pairs),
        groups=texts,
        levels=np.array([v for _, v in pairs]),
        ratings=np.full(len(pairs), -1),
        organisations=("",) * len(pairs),
        topic_slugs=SUBJECTS,
        topics=np.eye(3, dtype=np.float32)[[s for s, _ in pairs]],
    )


@pytest.fixture(scope="module")
def training(base: Path, comments: LabelledComments) -> AdapterTraining:
    return AdapterTraining(base, comments, QUICK, threads=1)


@pytest.fixture(scope="module")
def adapted(training: AdapterTraining, comments: LabelledComments) -> Any:
    return training.fit(np.arange(len(comments.texts)), comments.topics, seed=1)


def test_comments_of_one_topic_move_together(
    training: AdapterTraining, adapted: Any, comments: LabelledComments
) -> None:
    def separation(vectors: np.ndarray) -> float:
        nearness, same = vectors @ vectors.T, comments.topics @ comments.topics.T > 0
        return float(nearness[same].mean() - nearness[~same].mean())

    assert separation(training.vectors(adapted)) > separation(training.base_vectors) + 0.1


def test_same_seed_gives_the_same_vectors(
    training: AdapterTraining, adapted: Any, comments: LabelledComments
) -> None:
    again = training.fit(np.arange(len(comments.texts)), comments.topics, seed=1)
    np.testing.assert_array_equal(training.vectors(adapted), training.vectors(again))


def test_saved_adapter_gives_the_trained_vectors_when_merged_on_load(
    training: AdapterTraining, adapted: Any, comments: LabelledComments, base: Path, tmp_path: Path
) -> None:
    from patient_feedback.language.encoder import load_encoder

    training.save(adapted, tmp_path / "adapter", "tiny-1.0.0", {"dataset": "generated"})
    encoder = load_encoder(str(base), 1, languages=["en"], adapter=tmp_path / "adapter")
    nearness = np.sum(encoder.encode(comments.texts) * training.vectors(adapted), axis=1)
    assert nearness.min() > 0.999
    assert np.sum(encoder.encode(comments.texts) * training.base_vectors, axis=1).min() < 0.99
    assert "+tiny-1.0.0-" in encoder.version


def test_manifest_tells_what_the_adapter_was_trained_on(
    training: AdapterTraining, adapted: Any, tmp_path: Path
) -> None:
    training.save(adapted, tmp_path, "tiny-1.0.0", {"dataset": "generated"})
    manifest = json.loads((tmp_path / "adapter.json").read_text(encoding="utf-8"))
    assert manifest["trained_on"] == {"dataset": "generated", "comment_count": 60}
    assert manifest["training"]["rank"] == QUICK.rank
    assert b"waiting" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
