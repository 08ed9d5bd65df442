"""What the parts share: the comments, the encoders, and readings of comments that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.data import BenchData
from benchmarks.language.readings import (
    HeadParts,
    Readings,
    TopicReaders,
    encode_distinct,
    fixed_vectors,
    read_across,
    restricted,
    shipped_readers,
)
from benchmarks.language.settings import BenchSettings
from benchmarks.language.splits import trust_folds
from patient_feedback.language.encoder import Encoder, load_encoder
from patient_feedback.language.labelled import LabelledComments
from patient_feedback.language.topics import load_topic_model
from patient_feedback.language.training import FixedVectors, TrainingSettings, folds_by_group
from patient_feedback.settings import DEFAULT_ENCODER


@dataclass
class Workbench:
    data: BenchData
    settings: BenchSettings
    cache: Path
    is_cached: bool | None = None
    """Whether all trained readings so far came from the cache; None where nothing was trained."""
    _readings: dict[tuple[str, int, bytes], Readings] = field(default_factory=dict, repr=False)

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
        """By the shipped adapter, which learnt from these comments: for speed, not for quality."""
        return encode_distinct(self.encoder, self.comments.texts)

    @cached_property
    def shipped_readers(self) -> TopicReaders | None:
        return shipped_readers(load_topic_model(self.encoder.version))

    @property
    def trainings(self) -> str:
        count = self.settings.fold_count
        return f"{count * len(self.settings.seeds)} trainings, a seed each, on {count} folds by words"

    def folds(self, seed: int) -> NDArray[np.int64]:
        return folds_by_group(self.groups, self.settings.fold_count, seed)

    def held_out(self, seed: int) -> Readings:
        """Return the library's readings over folds of comments."""
        return self._library(self.folds(seed), seed)

    def other_trusts(self, seed: int) -> Readings:
        """Return the library's readings of each trust by models that learnt from the others."""
        return self._library(trust_folds(self.data.trusts)[1], seed)

    def heads_alone(self, seed: int, parts: HeadParts) -> Readings:
        """Return readings of base vectors by heads that look at `parts`, without an adapter."""
        return self._heads(self.folds(seed), seed, parts)

    def heads_on_other_trusts(self, seed: int) -> Readings:
        """Return readings of each trust's base vectors by heads that learnt from the others."""
        return self._heads(trust_folds(self.data.trusts)[1], seed, HeadParts())

    @property
    def _training(self) -> TrainingSettings:
        settings = TrainingSettings(minimum_examples=self.settings.minimum_examples)
        if not self.settings.is_quick:
            return settings
        return replace(
            settings,
            levels=replace(settings.levels, epochs=self.settings.quick_epochs),
            level_starts=1,
            uses_written_examples=False,
        )

    @cached_property
    def _base_source(self) -> FixedVectors:
        return fixed_vectors(self.base_encoder, self.comments, self._training)

    def _library(self, fold_of: NDArray[np.int64], seed: int) -> Readings:
        if self.settings.is_quick:
            return self._heads(fold_of, seed, HeadParts())
        return self._read("library", self.comments, fold_of, seed, None)

    def _heads(self, fold_of: NDArray[np.int64], seed: int, parts: HeadParts) -> Readings:
        name = f"heads-intents-{parts.uses_intents:d}-words-{parts.uses_words:d}"
        return self._read(name, restricted(self.comments, parts), fold_of, seed, self._base_source)

    def _read(
        self,
        name: str,
        comments: LabelledComments,
        fold_of: NDArray[np.int64],
        seed: int,
        source: FixedVectors | None,
    ) -> Readings:
        key = (name, seed, fold_of.tobytes())
        if key not in self._readings:
            found = self._readings[key] = read_across(
                comments,
                fold_of,
                seed,
                threads=self.settings.threads,
                settings=self._training,
                cache=self.cache / "readings" / name,
                source=source,
            )
            self.is_cached = found.is_cached and self.is_cached is not False
        return self._readings[key]
