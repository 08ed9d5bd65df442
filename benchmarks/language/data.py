"""The labelled comments that everything is measured on, with the trust of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patient_feedback.errors import FeedbackError
from patient_feedback.language.labelled import LabelledComments, read_labelled

VARIABLE = "NHS_FFT_CSV"
NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class BenchData:
    comments: LabelledComments
    trusts: NDArray[np.str_]

    def topic_positions(self, minimum_examples: int) -> NDArray[np.intp]:
        """Return the columns of the topics that enough comments are labelled with."""
        return np.flatnonzero(self.comments.topics.sum(axis=0) >= minimum_examples)

    def rarest_topic(self, minimum_examples: int) -> NDArray[np.int64]:
        """Return one topic for each comment, the rarest of its own, or -1 where it has none."""
        kept = self.topic_positions(minimum_examples)
        flags = self.comments.topics[:, kept] > 0
        frequency = np.where(flags, flags.sum(axis=0), np.inf)
        return np.where(flags.any(axis=1), kept[frequency.argmin(axis=1)], NO_LABEL).astype(np.int64)

    def drawn_topic(self, minimum_examples: int, seed: int) -> NDArray[np.int64]:
        """Return one topic for each comment, drawn among its own, or -1 where it has none."""
        kept = self.topic_positions(minimum_examples)
        flags = self.comments.topics[:, kept] > 0
        draw = np.random.default_rng(seed).random(flags.shape) * flags
        return np.where(flags.any(axis=1), kept[draw.argmax(axis=1)], NO_LABEL).astype(np.int64)


def labelled_file() -> Path:
    """Return the file named by NHS_FFT_CSV; FeedbackError saying how to get it."""
    if path := os.environ.get(VARIABLE):
        return Path(path)
    raise FeedbackError(
        f"{VARIABLE} is not set: the benchmark measures on labelled comments, which do not come with the "
        "project. Get the data set v6framework_230831 of NHS England's repository pxtextmining (MIT licence) "
        f"and run: {VARIABLE}=path/to/nhs_fft_comments.csv make bench-language. "
        'Without it, `make bench-language ARGS="--quick"` shows on generated comments that all parts work.'
    )


def read_data(path: Path) -> BenchData:
    """Read the labelled comments and their trusts; FeedbackError where columns are missing."""
    comments = read_labelled(path)
    trusts = np.array(comments.organisations)
    if len(set(comments.organisations)) < 2:
        raise FeedbackError(f"{path} names fewer than two trusts (column Trust): none can be held out.")
    return BenchData(comments, trusts)
