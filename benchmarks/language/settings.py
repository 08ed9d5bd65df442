"""How large a benchmark is: everything, or a few seconds on generated comments."""

from __future__ import annotations

import os
from dataclasses import dataclass

from patient_feedback.language.training import SEED


@dataclass(frozen=True, slots=True)
class BenchSettings:
    seeds: tuple[int, ...] = (SEED,)
    """Each draws folds anew and trains once a fold, with the next number as that training's seed."""
    fold_count: int = 5
    peer_seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Of themes by peers that draw by chance, and of the parts that stability is measured on."""
    inner_fold_count: int = 3
    """Folds within the training part by which a peer's settings are chosen."""
    threads: int = os.cpu_count() or 1
    repeats: int = 5
    """How often each side of a timing runs, in turn with the other."""
    minimum_examples: int = 20
    """A topic with fewer labelled comments is not measured."""
    encoded_texts: int = 5_000
    redacted_texts: int = 1_500
    matrix_size: int = 2_048
    """Side of the matrices that the processor's own speed is measured with."""
    theme_sizes: tuple[int, ...] = (5_000, 20_000)
    streamed_counts: tuple[int, int] | None = (100_000, 1_000_000)
    """None where nothing is streamed."""
    quick_epochs: int = 40
    """Passes over the comments in the quick mode, whose few comments the library's own number leaves unlearnt."""
    is_quick: bool = False
    """Whether heads alone are trained (no adapter), so that a run takes seconds."""


QUICK = BenchSettings(
    seeds=(100, 200),
    fold_count=2,
    peer_seeds=(1, 2),
    inner_fold_count=2,
    threads=1,
    repeats=2,
    minimum_examples=5,
    encoded_texts=60,
    redacted_texts=40,
    matrix_size=256,
    theme_sizes=(200, 400),
    streamed_counts=(1_000, 4_000),
    is_quick=True,
)
