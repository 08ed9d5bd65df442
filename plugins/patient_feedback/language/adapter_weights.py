"""A low-rank adapter on an encoder: read, checked and added to the weights once, on load.

Files are PEFT's (`adapter_config.json`, `adapter_model.safetensors`) with a manifest of our own
(`adapter.json`). They are read without PEFT, which only training needs: adding `scale * B @ A` to a
matrix is all that this kind of adapter asks for, and whatever asks for more is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patient_feedback.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

SHIPPED_ADAPTER = Path(__file__).resolve().parent / "models" / "adapter"
MANIFEST_FILE = "adapter.json"
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
MANIFEST_FIELDS = frozenset({"name", "base_sha256", "weights_sha256"})
VERSION_HEX_DIGITS = 8

KEY_PREFIX = "base_model.model."
"""What PEFT puts before the name of each matrix."""
UNREAD_OPTIONS = ("alpha_pattern", "fan_in_fan_out", "modules_to_save", "rank_pattern", "use_dora")
"""Settings of PEFT that change what the numbers mean, none of which is read here."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter whose files are as its manifest says."""

    folder: Path
    name: str
    base_sha256: str
    weights_sha256: str

    @property
    def version(self) -> str:
        return f"{self.name}-{self.weights_sha256[:VERSION_HEX_DIGITS]}"


def find_adapter(choice: str | Path, base_name: str, base_sha256: str) -> Adapter | None:
    """Return the adapter that `choice` means for an encoder with these weights, or None.

    "none" is no adapter; "auto" is the shipped one where it was trained on these weights; anything
    else is a folder, whose adapter must have been trained on them. Raises ModelError where files
    are absent or altered, or the adapter belongs to other weights.
    """
    if choice == "none":
        return None
    if choice == "auto" and not SHIPPED_ADAPTER.is_dir():
        return None
    adapter = _read_adapter(SHIPPED_ADAPTER if choice == "auto" else Path(choice))
    if adapter.base_sha256 == base_sha256:
        return adapter
    if choice == "auto":
        return None
    raise ModelError(
        f"The adapter {adapter.version} in {adapter.folder} was trained on weights with SHA-256 "
        f"{adapter.base_sha256}, those of {base_name} have {base_sha256}: give the encoder that it was "
        'trained on, another adapter, or "none".'
    )


def merge_adapter(model: nn.Module, adapter: Adapter) -> None:
    """Add the adapter to the weights of `model`, in single precision and in place."""
    import torch
    from safetensors.torch import load_file

    config = _read_json(adapter.folder / CONFIG_FILE)
    refused = [name for name in UNREAD_OPTIONS if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or refused:
        raise ModelError(
            f"The adapter in {adapter.folder} is not plain LoRA"
            f"{' (it sets ' + ', '.join(refused) + ')' if refused else ''}: train it without biases, patterns, "
            "saved modules or DoRA."
        )
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    matrices = load_file(adapter.folder / WEIGHTS_FILE)
    targets = sorted(key.removesuffix(".lora_A.weight") for key in matrices if key.endswith(".lora_A.weight"))
    expected = {f"{target}.lora_{side}.weight" for target in targets for side in "AB"}
    if not targets or expected != set(matrices):
        raise ModelError(
            f"{adapter.folder / WEIGHTS_FILE} holds other matrices than pairs of lora_A and lora_B."
        )
    with torch.no_grad():
        for target in targets:
            weight = _weight(model, target.removeprefix(KEY_PREFIX), adapter)
            down = matrices[f"{target}.lora_A.weight"].float()
            up = matrices[f"{target}.lora_B.weight"].float()
            if (*up.shape[:1], *down.shape[1:]) != tuple(weight.shape) or up.shape[1] != down.shape[0]:
                raise ModelError(f"The adapter {adapter.version} does not fit {target} of this encoder.")
            weight += scale * (up @ down).to(weight)


def _weight(model: nn.Module, path: str, adapter: Adapter) -> Any:
    try:
        return model.get_submodule(path).weight
    except AttributeError:
        raise ModelError(
            f"The adapter {adapter.version} changes {path}, which this encoder does not have."
        ) from None


def _read_adapter(folder: Path) -> Adapter:
    for file in (MANIFEST_FILE, CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / file).is_file():
            raise ModelError(f"The adapter in {folder} lacks {file}: give a folder that training wrote.")
    manifest = _read_json(folder / MANIFEST_FILE)
    if missing := sorted(MANIFEST_FIELDS - manifest.keys()):
        raise ModelError(f"{folder / MANIFEST_FILE} lacks the fields: {', '.join(missing)}.")
    # The settings scale the weights, so a manifest may hold their hash too.
    expected = {WEIGHTS_FILE: manifest["weights_sha256"], CONFIG_FILE: manifest.get("config_sha256")}
    for file, sha256 in expected.items():
        found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        if sha256 not in (None, found):
            raise ModelError(
                f"{folder / file} has SHA-256 {found}, its manifest says {sha256}: "
                "the file was altered or cut off. Restore it, or train the adapter again."
            )
    return Adapter(folder, manifest["name"], manifest["base_sha256"], manifest["weights_sha256"])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object.")
    return content
