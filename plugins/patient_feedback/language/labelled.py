"""Comments with human labels, as the published NHS Friends and Family Test data holds them."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import QuestionIntent
from patient_feedback.errors import FeedbackError
from patient_feedback.words import words

TEXT_COLUMN = "FFT answer"
QUESTION_COLUMN = "FFT question"
SENTIMENT_COLUMN = "Comment sentiment"
RATING_COLUMN = "FFT categorical answer"
ORGANISATION_COLUMN = "Trust"
FIRST_TOPIC_COLUMN = "Not assigned"
NO_TOPIC_COLUMNS = frozenset({"Not assigned", "Labelling not possible", SENTIMENT_COLUMN})
"""Label columns that name no topic; a comment marked with one of the first two has none."""
BLANK_TEXTS = frozenset({"", "did not answer"})
INTENT_OF_QUESTION = {
    "what was good?": QuestionIntent.WHAT_WAS_GOOD,
    "how could we improve?": QuestionIntent.WHAT_TO_IMPROVE,
    "what could we do better?": QuestionIntent.WHAT_TO_IMPROVE,
}
"""Every other question is open."""
LEVEL_COUNT = 5
ROW_NUMBER = "row number"
"""Added to each row, to name it in an error."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class LabelledComments:
    """Comments with a text, in the order of the file."""

    sha256: str
    """Of the file."""
    texts: tuple[str, ...]
    intents: tuple[str, ...]
    groups: tuple[str, ...]
    """Comments of one group have the same words; a group is never split between training and measuring."""
    levels: NDArray[np.int64]
    """Sentiment, 0 very negative .. 4 very positive; -1 where it is not labelled."""
    ratings: NDArray[np.int64]
    """The patient's own Friends and Family answer, 0 very poor .. 4 very good; -1 where there is none."""
    organisations: tuple[str, ...]
    """Who was spoken of; empty where the file does not say."""
    topic_slugs: tuple[str, ...]
    topics: NDArray[np.float32]
    """0/1, shape (comments, topics)."""


def read_labelled(path: Path) -> LabelledComments:
    """Read the labelled comments; raise FeedbackError naming the columns that are missing.

    In the file 1 is very positive and 5 very negative. Blank comments and "Did not answer" are left out.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedbackError(
            f"The labelled file {path} cannot be read ({error.strerror}): give the path of the CSV."
        ) from None
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    columns = list(rows[0]) if rows else []
    if missing := sorted({TEXT_COLUMN, QUESTION_COLUMN, SENTIMENT_COLUMN, FIRST_TOPIC_COLUMN} - set(columns)):
        raise FeedbackError(
            f"{path} lacks the columns {', '.join(missing)}, or has no rows: "
            "see docs/model_cards/sentiment.md."
        )
    topic_columns = [c for c in columns[columns.index(FIRST_TOPIC_COLUMN) :] if c not in NO_TOPIC_COLUMNS]
    for line, row in enumerate(rows, start=1):
        row[ROW_NUMBER] = str(line)
    rows = [row for row in rows if (row[TEXT_COLUMN] or "").strip().lower() not in BLANK_TEXTS]
    texts = tuple(row[TEXT_COLUMN] for row in rows)
    return LabelledComments(
        sha256=hashlib.sha256(content).hexdigest(),
        texts=texts,
        intents=tuple(_intent(row[QUESTION_COLUMN] or "") for row in rows),
        groups=tuple(" ".join(words(text)) or text.strip() for text in texts),
        levels=np.array([_read(row, SENTIMENT_COLUMN, _level) for row in rows], np.int64),
        ratings=np.array([_read(row, RATING_COLUMN, _level) for row in rows], np.int64),
        organisations=tuple((row.get(ORGANISATION_COLUMN) or "").strip() for row in rows),
        topic_slugs=tuple(topic_slug(column) for column in topic_columns),
        topics=np.array(
            [[_read(row, column, _flag) for column in topic_columns] for row in rows], np.float32
        ).reshape(len(rows), len(topic_columns)),
    )


def topic_slug(label: str) -> str:
    """Return the slug of a label of the framework, such as `timeliness_of_care`."""
    plain = (
        unicodedata.normalize("NFKD", label.replace("&", " and ")).encode("ascii", "ignore").decode("ascii")
    )
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_").replace("referals", "referrals")


def _intent(question: str) -> str:
    return INTENT_OF_QUESTION.get(" ".join(question.split()).lower(), QuestionIntent.OPEN).value


def _read(row: Mapping[str, str | None], column: str, read: Callable[[str], Number]) -> Number:
    """Return a label of a row; FeedbackError, which never holds the value: a shifted row has a comment there."""
    try:
        return read(row.get(column) or "")
    except ValueError:
        pass
    raise FeedbackError(
        f"Row {row[ROW_NUMBER]} of the labelled file has no number in the column {column}: give a level 1 to "
        f"{LEVEL_COUNT} or a flag 0 or 1, or leave it blank. A quote that is not closed shifts columns."
    )


def _level(value: str) -> int:
    """Return the level of a value 1 (best) .. 5 (worst); -1 for a blank or "don't know"."""
    level = LEVEL_COUNT - int(float(value)) if value.strip() else -1
    return level if 0 <= level < LEVEL_COUNT else -1


def _flag(value: str) -> float:
    return float(value) if value.strip() else 0.0
