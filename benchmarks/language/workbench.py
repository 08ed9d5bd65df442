"""What the parts share: the comments, the encoder, and readings of comments that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.data import BenchData
from benchmarks.language.readings import (
    FoldReader,
    HeadParts,
    Readings,
    heads_reader,
    library_reader,
    read_across,
)
from benchmarks.language.settings import BenchSettings
from benchmarks.language.splits import grouped_folds, trust_folds
from patient_feedback.language.encoder import Encoder, load_encoder
from patient_feedback.settings import DEFAULT_ENCODER

if TYPE_CHECKING:
    from patient_feedback.language.labelled import LabelledComments


@dataclass
class Workbench:
    data: BenchData
    settings: BenchSettings
    cache: Path
    is_cached: bool | None = None
    """Whether all trained readings so far came from the cache; None where nothing was trained."""
    _readings: dict[tuple[str, int, bytes], Readings] = field(default_factory=dict)

    @property
    def comments(self) -> LabelledComments:
        return self.data.comments

    @property
    def groups(self) -> Sequence[str]:
        return self.data.comments.groups

    @cached_property
    def base_encoder(self) -> Encoder:
        """The encoder as published, which the peers use."""
        return load_encoder(DEFAULT_ENCODER, self.settings.threads, adapter="none")

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder as the library ships it."""
        return load_encoder(DEFAULT_ENCODER, self.settings.threads)

    @cached_property
    def base_vectors(self) -> NDArray[np.float32]:
        return encode_distinct(self.base_encoder, self.comments.texts)

    @cached_property
    def shipped_vectors(self) -> NDArray[np.float32]:
        """By the shipped adapter, which learnt from these comments: for speed and stability, not for quality."""
        return encode_distinct(self.encoder, self.comments.texts)

    def folds(self, seed: int) -> NDArray[np.int64]:
        return grouped_folds(self.groups, seed, self.settings.fold_count)

    def held_out(self, seed: int) -> Readings:
        """Return the library's readings over folds of comments."""
        return self._read("library", self._library, self.folds(seed), seed)

    def other_trusts(self, seed: int) -> Readings:
        """Return the library's readings of each trust by models that learnt from the others."""
        return self._read("library", self._library, trust_folds(self.data.trusts)[1], seed)

    def heads_alone(self, seed: int, parts: HeadParts) -> Readings:
        """Return readings of base vectors by heads that look at `parts`."""
        name = f"heads-{parts.uses_intents:d}{parts.uses_words:d}"
        return self._read(name, self._heads(parts), self.folds(seed), seed)

    def heads_on_other_trusts(self, seed: int) -> Readings:
        """Return readings of each trust's base vectors by heads that learnt from the others."""
        return self._read("heads-11", self._heads(HeadParts()), trust_folds(self.data.trusts)[1], seed)

    @property
    def _library(self) -> FoldReader:
        if self.settings.is_quick:
            return self._heads(HeadParts())
        return library_reader(self.comments, self.settings.threads)

    def _heads(self, parts: HeadParts) -> FoldReader:
        return heads_reader(
            self.comments,
            self.base_vectors,
            self.settings.minimum_examples,
            parts,
            self.settings.level_epochs,
        )

    def _read(self, name: str, reader: FoldReader, fold_of: NDArray[np.int64], seed: int) -> Readings:
        name = f"quick-{name}" if self.settings.is_quick else name
        key = (name, seed, fold_of.tobytes())
        if key not in self._readings:
            self._readings[key], is_cached = read_across(
                reader, name, self.comments, fold_of, seed, self.cache
            )
            self.is_cached = is_cached and self.is_cached is not False
        return self._readings[key]


def encode_distinct(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vector of each text; a text that stands several times is encoded once."""
    distinct = list(dict.fromkeys(texts))
    positions = {text: i for i, text in enumerate(distinct)}
    return encoder.encode(distinct)[[positions[text] for text in texts]]
