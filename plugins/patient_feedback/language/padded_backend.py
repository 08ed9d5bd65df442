"""Any sentence-transformers model as it is, in batches of equal length: the way that always works."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

BUCKET_TOKENS = 16
"""Texts are padded to a multiple of this many tokens."""
BATCH_TOKENS = {"cpu": 512, "cuda": 32_768}
"""Texts times padded length of a batch: on the processor small enough for its cache."""


class PaddedBackend:
    """A whole sentence-transformers model on the processor, or on the GPU where torch finds one."""

    def __init__(self, model: SentenceTransformer, precision: torch.dtype) -> None:
        import torch

        self.name = f"padded-{str(precision).removeprefix('torch.')}"
        self._model = model if precision == torch.float32 else _with_products_in(model, precision)
        self._is_reduced = precision != torch.float32
        self._batch_tokens = BATCH_TOKENS.get(model.device.type, BATCH_TOKENS["cuda"])

    def batches(
        self, rows: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32], list[NDArray[np.float32]]]]:
        """Yield (positions in `rows`, their vectors, the vectors of each one's tokens), short ones first.

        Every batch of a length is equally wide: a product's rounding may depend on its shape.
        """
        limit = self._model.max_seq_length or self._batch_tokens
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        padded = np.minimum(limit, -(-lengths // BUCKET_TOKENS) * BUCKET_TOKENS)
        for length in np.unique(padded):
            positions = np.flatnonzero(padded == length)
            width = max(1, self._batch_tokens // int(length))
            for start in range(0, len(positions), width):
                chosen = positions[start : start + width]
                filler = [rows[chosen[0]]] * (width - len(chosen))
                yield chosen, *self._forward([rows[i] for i in chosen] + filler, int(length), len(chosen))

    def after_pooling(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take means of token vectors, shape (texts, width), through the modules that follow the pooling."""
        import torch

        modules = list(self._model)
        pooling = next((i for i, module in enumerate(modules) if hasattr(module, "pooling_mode")), None)
        if pooling is None:
            return pooled
        features: dict[str, Any] = {"sentence_embedding": torch.from_numpy(pooled).to(self._model.device)}
        with torch.inference_mode(), self._arithmetic():
            for module in modules[pooling + 1 :]:
                features = module(features)
        return _numbers(features["sentence_embedding"])

    def _forward(
        self, rows: Sequence[Sequence[int]], length: int, wanted: int
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        import torch

        tokenizer: Any = self._model.tokenizer
        features = tokenizer.pad(
            {"input_ids": [list(row) for row in rows]},
            padding="max_length",
            max_length=length,
            return_tensors="pt",
        )
        device = self._model.device
        with torch.inference_mode(), self._arithmetic():
            output = self._model({name: tensor.to(device) for name, tensor in features.items()})
        states = _numbers(output["token_embeddings"])
        is_token = features["attention_mask"].bool().numpy()
        own = [states[row][is_token[row]] for row in range(wanted)]
        return _numbers(output["sentence_embedding"])[:wanted], own

    def _arithmetic(self) -> torch.autocast:
        import torch

        return torch.autocast(self._model.device.type, torch.bfloat16, enabled=self._is_reduced)


def _with_products_in(model: SentenceTransformer, precision: torch.dtype) -> SentenceTransformer:
    from torch import nn

    changed = copy.deepcopy(model)
    for module in changed.modules():
        if isinstance(module, nn.Linear):
            module.to(precision)
    return changed


def _numbers(tensor: Any) -> NDArray[np.float32]:
    result: NDArray[np.float32] = tensor.float().cpu().numpy()
    return result
