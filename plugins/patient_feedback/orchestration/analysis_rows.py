"""Rows of the analysis: what was read, written in sets, and the segments of texts read back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from patient_feedback.language.answer_kind import READING_RULES_VERSION
from patient_feedback.language.segments import SEGMENTS_VERSION, Span
from patient_feedback.orchestration.statements import named_statements

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pgvector import HalfVector

    from patient_feedback.language.sentiment import SentimentReading
    from patient_feedback.language.serious import SeriousCategory, SeriousMention
    from patient_feedback.language.topics import TopicMention

STATEMENTS = Path(__file__).with_name("analysis.sql")
SEGMENTATION_VERSION = f"segments-{SEGMENTS_VERSION}"
NEARNESS = "nearness"
"""Basis of a mention that no pattern found, or not alone."""
READING_RULES = f"{SEGMENTATION_VERSION}+answers-{READING_RULES_VERSION}"


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of the texts of a chunk: words and vectors, and whose they are."""

    texts: list[str]
    vectors: NDArray[np.float32]
    owners: list[int]
    """For each segment the row of the chunk that it belongs to."""
    indexes: list[int]


def write_vectors(
    connection: psycopg.Connection,
    encoder_version: str,
    hashes: Sequence[str],
    vectors: NDArray[np.float32],
    spans: Sequence[Sequence[Span]],
    segment_vectors: NDArray[np.float32],
) -> None:
    from pgvector import HalfVector

    upsert(
        connection,
        "analysis.embedding",
        ("text_sha256", "encoder_version", "embedding", "segmentation_version"),
        ("text_sha256", "encoder_version"),
        (
            (sha256, encoder_version, HalfVector(vector), SEGMENTATION_VERSION)
            for sha256, vector in zip(hashes, vectors, strict=True)
        ),
    )
    places = (
        (sha256, encoder_version, index, start, end)
        for sha256, own in zip(hashes, spans, strict=True)
        for index, (start, end) in enumerate(own)
    )
    upsert(
        connection,
        "analysis.text_segment",
        ("text_sha256", "encoder_version", "segment_index", "start_character", "end_character", "embedding"),
        ("text_sha256", "encoder_version", "segment_index"),
        ((*place, HalfVector(vector)) for place, vector in zip(places, segment_vectors, strict=True)),
    )


def segments_of(
    connection: psycopg.Connection, encoder_version: str, rows: Sequence[tuple[str, str, str, HalfVector]]
) -> Segments:
    """Return the segments of each row's text; a text that is asked about twice has them twice."""
    import numpy as np

    of_text: dict[str, list[tuple[int, int, int, HalfVector]]] = {}
    for sha256, *segment in connection.execute(
        named_statements(STATEMENTS)["segments_of_texts"],
        {"encoder": encoder_version, "hashes": sorted({sha256 for sha256, *_ in rows})},
    ):
        of_text.setdefault(sha256, []).append(tuple(segment))
    listed = [
        (owner, text[start:end], index, vector)
        for owner, (sha256, _, text, _) in enumerate(rows)
        for index, start, end, vector in of_text.get(sha256, ())
    ]
    dimensions = rows[0][3].dimensions()
    return Segments(
        texts=[text for _, text, _, _ in listed],
        vectors=np.array([vector.to_numpy() for *_, vector in listed], dtype=np.float32).reshape(
            -1, dimensions
        ),
        owners=[owner for owner, *_ in listed],
        indexes=[index for _, _, index, _ in listed],
    )


def write_sentiments(
    connection: psycopg.Connection,
    sentiment_version: str,
    encoder_version: str,
    keys: Sequence[tuple[str, str]],
    readings: Sequence[SentimentReading],
    kinds: Sequence[str],
) -> None:
    upsert(
        connection,
        "analysis.sentiment",
        (
            "text_sha256",
            "question_intent",
            "sentiment_model_version",
            "encoder_version",
            "sentiment_label",
            "sentiment_score",
            "sentiment_confidence",
            "comment_reading",
            "reading_rules_version",
        ),
        ("text_sha256", "question_intent", "sentiment_model_version"),
        (
            (
                *key,
                sentiment_version,
                encoder_version,
                reading.label,
                reading.score,
                reading.confidence,
                kind,
                READING_RULES,
            )
            for key, reading, kind in zip(keys, readings, kinds, strict=True)
        ),
    )


def write_segment_sentiments(
    connection: psycopg.Connection,
    sentiment_version: str,
    keys: Sequence[tuple[str, str]],
    segments: Segments,
    readings: Sequence[SentimentReading],
) -> None:
    """Write the readings of the segments in place of those that the texts had."""
    connection.execute(
        named_statements(STATEMENTS)["drop_segment_sentiments"],
        {
            "sentiment": sentiment_version,
            "hashes": [sha256 for sha256, _ in keys],
            "intents": [intent for _, intent in keys],
        },
    )
    upsert(
        connection,
        "analysis.segment_sentiment",
        (
            "text_sha256",
            "question_intent",
            "sentiment_model_version",
            "segment_index",
            "sentiment_label",
            "sentiment_score",
            "sentiment_confidence",
        ),
        ("text_sha256", "question_intent", "sentiment_model_version", "segment_index"),
        (
            (*keys[owner], sentiment_version, index, reading.label, reading.score, reading.confidence)
            for owner, index, reading in zip(segments.owners, segments.indexes, readings, strict=True)
        ),
    )


def write_topics(
    connection: psycopg.Connection,
    encoder_version: str,
    topic_model_version: str,
    keys: Sequence[tuple[str, str]],
    mentions: Sequence[Sequence[TopicMention]],
) -> None:
    upsert(
        connection,
        "analysis.topic_reading",
        ("text_sha256", "question_intent", "topic_model_version", "encoder_version", "topic_count"),
        ("text_sha256", "question_intent", "topic_model_version"),
        (
            (*key, topic_model_version, encoder_version, len(found))
            for key, found in zip(keys, mentions, strict=True)
        ),
    )
    upsert(
        connection,
        "analysis.topic_mention",
        ("text_sha256", "question_intent", "topic_model_version", "topic_slug", "topic_confidence"),
        ("text_sha256", "question_intent", "topic_model_version", "topic_slug"),
        (
            (*key, topic_model_version, mention.topic_slug, mention.confidence)
            for key, found in zip(keys, mentions, strict=True)
            for mention in found
        ),
    )


def write_serious(
    connection: psycopg.Connection,
    detector_version: str,
    rows: Sequence[tuple[str, str, str | None, HalfVector]],
    found: Sequence[Sequence[SeriousMention]],
    near: Sequence[SeriousCategory | None],
) -> None:
    """Write what is serious in each text, in place of what an earlier reading of this detector found.

    `rows` are hash, text, language and vector (None where there is none); `near` the category by nearness.
    """
    kept: list[dict[str, str]] = []
    for mentions, category in zip(found, near, strict=True):
        own = {str(mention.category): mention.basis for mention in mentions}
        if category is not None:
            own[str(category)] = ",".join(filter(None, (own.get(str(category)), NEARNESS)))
        kept.append(own)
    connection.execute(
        named_statements(STATEMENTS)["drop_serious_readings"],
        {"detector": detector_version, "hashes": [sha256 for sha256, *_ in rows]},
    )
    upsert(
        connection,
        "analysis.serious_reading",
        ("text_sha256", "detector_version", "language_code", "reading_basis", "category_count"),
        ("text_sha256", "detector_version"),
        (
            (
                sha256,
                detector_version,
                language,
                "phrases" if vector is None else "phrases_and_nearness",
                len(own),
            )
            for (sha256, _, language, vector), own in zip(rows, kept, strict=True)
        ),
    )
    upsert(
        connection,
        "analysis.serious_mention",
        ("text_sha256", "detector_version", "category", "basis"),
        ("text_sha256", "detector_version", "category"),
        (
            (sha256, detector_version, category, basis)
            for (sha256, *_), own in zip(rows, kept, strict=True)
            for category, basis in own.items()
        ),
    )


def upsert(
    connection: psycopg.Connection,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    rows: Iterable[tuple[object, ...]],
) -> None:
    """COPY rows into a temporary copy of `table`, then insert or replace them by `key`."""
    names = ", ".join(columns)
    staged = f"staged_{table.replace('.', '_')}"
    connection.execute(f"drop table if exists {staged}")
    connection.execute(
        f"create temporary table {staged} on commit drop as select {names} from {table} with no data"
    )
    with connection.cursor() as cursor, cursor.copy(f"copy {staged} ({names}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    connection.execute(
        f"insert into {table} ({names}) select {names} from {staged} "
        f"on conflict ({', '.join(key)}) do update set {changes}"
    )
