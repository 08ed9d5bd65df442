"""Other readers of topics: nearness to each label's description, and a linear machine on all there is."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.sentiment_peers import INTENT_SCALE
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.heads import intent_columns
from patient_feedback.language.labelled import LabelledComments
from patient_feedback.settings import SOURCE_TREE

Rows = NDArray[np.intp]
TopicPeer = Callable[[Rows, Rows], NDArray[np.float64]]
"""(rows to learn from, rows to read) to a score for each topic, shape (rows, topics)."""

TAXONOMY = SOURCE_TREE / "dbt_project" / "seeds" / "topics.csv"
PENALTIES = (0.1, 0.3, 1.0)
FEWEST_TEXTS_WITH_WORD = 2


def zero_shot(
    encoder: Encoder, vectors: NDArray[np.float32], slugs: Sequence[str], taxonomy: Path = TAXONOMY
) -> TopicPeer:
    """Return a reader by the cosine between comment and label with description; it learns nothing."""
    with taxonomy.open(encoding="utf-8", newline="") as stream:
        described = {
            row["topic_slug"]: f"{row['topic_label']}: {row['description']}" for row in csv.DictReader(stream)
        }
    labels = encoder.encode([described.get(slug, slug.replace("_", " ")) for slug in slugs])
    scores = np.asarray(vectors, np.float64) @ np.asarray(labels, np.float64).T
    return lambda _learnt, read_rows: scores[read_rows]


def linear_machine(
    comments: LabelledComments,
    vectors: NDArray[np.float32],
    topics: NDArray[np.float32],
    penalty: float,
    threads: int,
) -> TopicPeer:
    """Return one linear support vector machine for each topic on embedding, TF-IDF and question."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    asked = csr_matrix(np.hstack([vectors, INTENT_SCALE * intent_columns(comments.intents)]))

    def read(learnt: Rows, read_rows: Rows) -> NDArray[np.float64]:
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=FEWEST_TEXTS_WITH_WORD, sublinear_tf=True)
        words.fit([comments.texts[i] for i in learnt])
        phrases = words.transform(comments.texts)
        seen = hstack([asked[learnt], phrases[learnt]]).tocsr()
        new = hstack([asked[read_rows], phrases[read_rows]]).tocsr()

        def scores(topic: int) -> NDArray[np.float64]:
            truth = topics[learnt, topic]
            if not 0 < truth.sum() < len(truth):
                return np.full(len(read_rows), -1.0)
            margins: NDArray[np.float64] = (
                LinearSVC(C=penalty, random_state=0).fit(seen, truth).decision_function(new)
            )
            return margins

        with ThreadPoolExecutor(threads) as pool:
            return np.stack(list(pool.map(scores, range(topics.shape[1]))), axis=1)

    return read
