"""BERT and its relatives on the processor without padding: the fast way to vectors.

The tokens of many texts lie one after another in one matrix of a fixed height, so that no product
is spent on padding. Texts only meet in attention, which runs over texts of exactly one length at a
time and needs no mask. Weights are laid out once for the processor's matrix instructions, and
numbers stay in bfloat16 between the products, which halves what memory has to carry.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from torch import Tensor, nn

TOKENS = 512
"""Height of the matrix: large enough for the processor's full speed, small enough for its cache.

It never changes, because a product's rounding may depend on its shape: the same text must give the
same vector whatever it is packed with.
"""
KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
"""Models of one layout; all but BERT begin to count positions after that of the padding token."""
POOLINGS = ("mean", "cls")
LAST_MODULES = ("Normalize",)
"""What may follow the pooling here: vectors are brought to unit length in any case."""

_Computed = tuple[NDArray[np.intp], NDArray[np.float32], list[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class _Layer:
    query_key_value: _Product
    attended: _Product
    attended_norm: nn.LayerNorm
    widened: _Product
    narrowed: _Product
    narrowed_norm: nn.LayerNorm


class PackedBackend:
    """Token vectors of a BERT-like model, computed in `precision` on the processor."""

    def __init__(self, model: SentenceTransformer, precision: torch.dtype) -> None:
        import torch

        transformer: Any = model[0].auto_model
        config = transformer.config
        self.name = f"packed-{str(precision).removeprefix('torch.')}"
        self._precision = precision
        self._heads = config.num_attention_heads
        self._first_position = 0 if config.model_type == "bert" else config.pad_token_id + 1
        self._pooling = _pooling(model)
        self._height = max(TOKENS, model.max_seq_length or TOKENS)
        with torch.no_grad():
            embeddings = transformer.embeddings
            self._words = embeddings.word_embeddings.weight.detach()
            self._places = (
                embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
            ).detach()
            self._words_norm = embeddings.LayerNorm
            self._layers = [_layer(layer, self._heads, precision) for layer in transformer.encoder.layer]

    @staticmethod
    def reads(model: SentenceTransformer) -> bool:
        """Whether the model is one that this backend computes as sentence-transformers does."""
        transformer: Any = getattr(model[0], "auto_model", None)
        config: Any = getattr(transformer, "config", None)
        return bool(
            model.device.type == "cpu"
            and getattr(config, "model_type", None) in KINDS
            and hasattr(transformer, "encoder")
            and config.hidden_act == "gelu"
            and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
            and not config.is_decoder
            and _pooling(model) in POOLINGS
            and all(type(module).__name__ in LAST_MODULES for module in list(model)[2:])
        )

    def batches(
        self, rows: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32], list[NDArray[np.float32]]]]:
        """Yield (positions in `rows`, their vectors, the vectors of each one's tokens), short ones first."""
        import torch

        packs = self._packs(rows)
        threads = torch.get_num_threads()
        # A core with a matrix of its own waits for no other, as it does where all share each product; and a
        # product is computed by one thread, whether one text is read or a thousand.
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                awaited: deque[Future[_Computed]] = deque()
                for positions in packs:
                    awaited.append(pool.submit(self._computed, rows, positions))
                    if len(awaited) > 2 * threads:
                        yield awaited.popleft().result()
                while awaited:
                    yield awaited.popleft().result()
        finally:
            torch.set_num_threads(threads)

    def _packs(self, rows: Sequence[Sequence[int]]) -> list[NDArray[np.intp]]:
        """Divide the texts into as many as fill a matrix each, by length."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        filled = np.cumsum(lengths[order])
        packs, start = [], 0
        while start < len(order):
            before = filled[start] - lengths[order[start]]
            end = int(np.searchsorted(filled, before + self._height, side="right"))
            packs.append(order[start:end])
            start = end
        return packs

    def _computed(self, rows: Sequence[Sequence[int]], positions: NDArray[np.intp]) -> _Computed:
        import torch

        lengths = np.array([len(rows[i]) for i in positions], dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        with torch.inference_mode():
            states: NDArray[np.float32] = self._states([rows[i] for i in positions]).float().numpy()
        tokens = [states[a : a + n] for a, n in zip(starts, lengths, strict=True)]
        if self._pooling == "cls":
            pooled = states[starts]
        else:
            used = states[: int(lengths.sum())]
            pooled = np.add.reduceat(used, starts, axis=0) / lengths[:, None].astype(np.float32)
        return positions, pooled, tokens

    def after_pooling(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the model makes of means of token vectors: here the means themselves."""
        return pooled

    def _states(self, rows: Sequence[Sequence[int]]) -> Tensor:
        import torch

        words = torch.zeros(self._height, dtype=torch.long)
        places = torch.zeros(self._height, dtype=torch.long)
        lengths = [len(row) for row in rows]
        filled = sum(lengths)
        words[:filled] = torch.tensor([token for row in rows for token in row])
        places[:filled] = torch.tensor([place for length in lengths for place in range(length)])
        states = _normed(self._words_norm, self._words[words] + self._places[places + self._first_position])
        states = states.to(self._precision)
        groups = [(int(n), lengths.count(n)) for n in dict.fromkeys(lengths)]
        for layer in self._layers:
            attended = layer.attended(self._attend(layer.query_key_value(states), groups))
            states = _normed(layer.attended_norm, attended.add_(states))
            narrowed = layer.narrowed(layer.widened(states))
            states = _normed(layer.narrowed_norm, narrowed.add_(states))
        return states

    def _attend(self, query_key_value: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
        """Let tokens read the other tokens of their text; `groups` are (length, number of texts)."""
        import torch

        width = query_key_value.shape[1] // 3
        read = torch.zeros((self._height, width), dtype=self._precision)
        start = 0
        for length, count in groups:
            end = start + length * count
            parts = query_key_value[start:end].view(count, length, 3, self._heads, width // self._heads)
            query, key, value = (
                parts.permute(2, 0, 3, 1, 4).reshape(3, count * self._heads, length, -1).unbind(0)
            )
            weights = torch.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1)
            found = torch.bmm(weights, value).view(count, self._heads, length, -1)
            read[start:end].view(count, length, self._heads, -1).copy_(found.transpose(1, 2))
            start = end
        return read


class _Product:
    """`x @ weight.T + bias`, and GELU after it where asked, with weights laid out for the processor."""

    def __init__(self, weight: Tensor, bias: Tensor, precision: torch.dtype, *, gelu: bool = False) -> None:
        import torch

        self._gelu = gelu
        self._bias = bias.detach().to(precision)
        self._weight = weight.detach().to(precision).contiguous()
        self._is_laid_out = precision == torch.bfloat16
        if self._is_laid_out:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, TOKENS)

    def __call__(self, states: Tensor) -> Tensor:
        import torch
        from torch.nn import functional

        if self._is_laid_out:
            after = "gelu" if self._gelu else "none"
            result: Tensor = torch.ops.mkldnn._linear_pointwise(
                states, self._weight, self._bias, after, [], "none"
            )
            return result
        result = functional.linear(states, self._weight, self._bias)
        return functional.gelu(result) if self._gelu else result


def _layer(layer: Any, heads: int, precision: torch.dtype) -> _Layer:
    import torch

    attention, inner, outer = layer.attention, layer.intermediate.dense, layer.output.dense
    reader = attention.self
    # The scores' divisor goes into the query's weights, which saves a pass over all scores.
    scale = 1 / math.sqrt(reader.query.weight.shape[0] // heads)
    return _Layer(
        query_key_value=_Product(
            torch.cat([reader.query.weight * scale, reader.key.weight, reader.value.weight]),
            torch.cat([reader.query.bias * scale, reader.key.bias, reader.value.bias]),
            precision,
        ),
        attended=_Product(attention.output.dense.weight, attention.output.dense.bias, precision),
        attended_norm=attention.output.LayerNorm,
        widened=_Product(inner.weight, inner.bias, precision, gelu=True),
        narrowed=_Product(outer.weight, outer.bias, precision),
        narrowed_norm=layer.output.LayerNorm,
    )


def _normed(norm: nn.LayerNorm, states: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.layer_norm(states, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _pooling(model: SentenceTransformer) -> str | None:
    pooling = list(model)[1] if len(list(model)) > 1 else None
    mode = getattr(pooling, "pooling_mode", None)
    return mode if isinstance(mode, str) and getattr(pooling, "include_prompt", True) else None
