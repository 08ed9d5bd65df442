"""Other ways to run the same encoder on the same processor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

FP32 = "SentenceTransformer.encode, fp32, defaults"
BF16 = "SentenceTransformer.encode, bf16 weights"
ONNX_INT8 = "onnxruntime int8, sorted batches"
OPENVINO = "OpenVINO, sorted batches"
BATCH = 32


def sentence_transformer(folder: Path, threads: int, is_bfloat16: bool) -> tuple[Any, Encode]:
    """Return the model, in fp32 or with bf16 weights, and its own `encode` with defaults."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    if is_bfloat16:
        model = model.to(torch.bfloat16)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        tensor = model.encode(list(texts), convert_to_tensor=True, show_progress_bar=False)
        vectors: NDArray[np.float32] = tensor.float().cpu().numpy()
        return vectors

    return model, encode


def onnx_int8(model: Any, threads: int) -> Encode:
    """Return the model exported to ONNX and quantised to int8; ImportError where that is not installed."""
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        exported, small = Path(folder) / "model.onnx", Path(folder) / "model.int8.onnx"
        torch.onnx.export(
            _Tokens(model),
            _example(model),
            str(exported),
            input_names=["input_ids", "attention_mask", "token_type_ids"],
            output_names=["tokens"],
            dynamic_axes={
                name: {0: "texts", 1: "length"}
                for name in ("input_ids", "attention_mask", "token_type_ids", "tokens")
            },
            dynamo=False,
        )
        quantize_dynamic(str(exported), str(small), weight_type=QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(small.read_bytes(), options, ["CPUExecutionProvider"])

    def tokens(features: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(None, features)[0]
        return found

    return _pooled(model, tokens)


def openvino(model: Any, threads: int) -> Encode:
    """Return the model compiled by OpenVINO, which picks the fastest precision; ImportError without it."""
    import openvino as ov

    converted = ov.convert_model(_Tokens(model), example_input=_example(model))
    compiled = ov.Core().compile_model(
        converted,
        "CPU",
        {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY"},
    )

    def tokens(features: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = compiled(list(features.values()))[0]
        return found

    return _pooled(model, tokens)


def _Tokens(model: Any) -> Any:  # noqa: N802 - stands for a class whose base is only known with torch
    import torch

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = model[0].auto_model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            )[0]

    return Tokens().eval()


def _example(model: Any) -> tuple[Any, ...]:
    features = model.tokenizer(
        ["a kind nurse", "a long wait in the corridor"], padding=True, return_tensors="pt"
    )
    return features["input_ids"], features["attention_mask"], features["token_type_ids"]


def _pooled(model: Any, tokens: Callable[[dict[str, NDArray[np.int64]]], NDArray[np.float32]]) -> Encode:
    """Return an `encode` over batches of texts of alike length: mean of the token vectors, unit length."""
    limit = model.max_seq_length

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        listed = list(texts)
        ids = model.tokenizer(listed, truncation=True, max_length=limit)["input_ids"]
        order = np.argsort([len(one) for one in ids], kind="stable")
        vectors = np.zeros((len(listed), model.get_embedding_dimension()), np.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            length = max(len(ids[i]) for i in chosen)
            input_ids = np.zeros((len(chosen), length), np.int64)
            mask = np.zeros((len(chosen), length), np.int64)
            for row, i in enumerate(chosen):
                input_ids[row, : len(ids[i])] = ids[i]
                mask[row, : len(ids[i])] = 1
            found = tokens(
                {"input_ids": input_ids, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
            )
            weights = mask[:, :, None].astype(np.float32)
            pooled = (found * weights).sum(axis=1) / weights.sum(axis=1)
            vectors[chosen] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    return encode
