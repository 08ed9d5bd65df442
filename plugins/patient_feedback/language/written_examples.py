"""Comments written for this project, which show training the topics that real comments seldom speak of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from patient_feedback.contract import QuestionIntent
from patient_feedback.language.labelled import LabelledComments
from patient_feedback.words import words

EXAMPLES_FILE = Path(__file__).with_name("topic_examples.yml")


def with_written_examples(comments: LabelledComments, path: Path = EXAMPLES_FILE) -> LabelledComments:
    """Return `comments` followed by the written ones, as answers to an open question, without sentiment or rating.

    Topics that `comments` does not know are left out.
    """
    written = [
        (text, [comments.topic_slugs.index(slug) for slug in entry["topics"] if slug in comments.topic_slugs])
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
        for text in entry["comments"]
    ]
    written = [(text, topics) for text, topics in written if topics]
    truth = np.zeros((len(written), len(comments.topic_slugs)), np.float32)
    for row, (_, topics) in enumerate(written):
        truth[row, topics] = 1.0
    unlabelled = np.full(len(written), -1, np.int64)
    texts = tuple(text for text, _ in written)
    return replace(
        comments,
        texts=comments.texts + texts,
        intents=comments.intents + (QuestionIntent.OPEN.value,) * len(written),
        groups=comments.groups + tuple(" ".join(words(text)) for text in texts),
        levels=np.concatenate([comments.levels, unlabelled]),
        ratings=np.concatenate([comments.ratings, unlabelled]),
        organisations=comments.organisations + ("",) * len(written),
        topics=np.concatenate([comments.topics, truth]),
    )
