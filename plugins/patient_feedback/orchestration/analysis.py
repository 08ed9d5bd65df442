"""Analyse: language, embedding, sentiment and topics of each distinct redacted text, once per version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from patient_feedback.checks.queries import ParameterValue
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

if TYPE_CHECKING:
    from pgvector import HalfVector

CHUNK_SIZE = 2_048
"""Texts per transaction: a killed run loses at most one chunk of work."""


@dataclass(frozen=True, slots=True)
class AnalysisVersions:
    """The models in force; a row of `analysis` names the ones that made it."""

    encoder: str
    sentiment: str
    topics: str
    detector: str
    languages: tuple[str, ...]


def versions_in_force(settings: Settings) -> AnalysisVersions:
    """Return the versions; the heads are a few megabytes, the encoder is not loaded."""
    from patient_feedback.language.detection import DETECTOR_VERSION
    from patient_feedback.language.encoder import encoder_languages, encoder_version
    from patient_feedback.language.sentiment import load_sentiment_model
    from patient_feedback.language.topics import load_topic_model

    encoder = encoder_version(settings.encoder_name)
    return AnalysisVersions(
        encoder=encoder,
        sentiment=load_sentiment_model(encoder).version,
        topics=load_topic_model(encoder).version,
        detector=DETECTOR_VERSION,
        languages=tuple(sorted(encoder_languages(settings.encoder_name))),
    )


def detect_languages(settings: Settings, counts: TaskCounts) -> None:
    """Detect the language of every text that the detector in force has not read."""
    from patient_feedback.language import detection

    versions = versions_in_force(settings)

    def read(rows: Sequence[tuple[str, str, str | None]]) -> Iterator[tuple[object, ...]]:
        detected = detection.detect_languages(
            [text for _, text, _ in rows], [declared for _, _, declared in rows]
        )
        for (sha256, _, _), language in zip(rows, detected, strict=True):
            yield sha256, language.language_code, language.confidence, language.basis, versions.detector

    counts.row_count = _in_chunks(
        settings,
        "detect_languages",
        """
        select comment.text_sha256, min(comment.comment_text), min(comment.declared_language_code)
        from feedback.comment
        left join analysis.text_language using (text_sha256)
        where
            comment.comment_state = 'text'
            and comment.text_sha256 >= %(after)s
            and text_language.detector_version is distinct from %(detector)s
        group by comment.text_sha256
        order by comment.text_sha256
        limit %(chunk_size)s
        """,
        {"detector": versions.detector},
        lambda connection, rows: _upsert(
            connection,
            "analysis.text_language",
            ("text_sha256", "language_code", "language_confidence", "language_basis", "detector_version"),
            ("text_sha256",),
            read(rows),
        ),
    )


def embed_comments(settings: Settings, counts: TaskCounts) -> None:
    """Embed every text in a language of the encoder that has no vector of its version."""
    from pgvector import HalfVector

    from patient_feedback.language.encoder import load_encoder

    versions = versions_in_force(settings)
    encoder = None

    def embed(connection: psycopg.Connection, rows: Sequence[tuple[str, str]]) -> None:
        nonlocal encoder
        if encoder is None:  # loading the weights takes seconds: only where there is something to embed
            encoder = load_encoder(settings.encoder_name, settings.worker_threads)
        vectors = encoder.encode([text for _, text in rows])
        _upsert(
            connection,
            "analysis.embedding",
            ("text_sha256", "encoder_version", "embedding"),
            ("text_sha256", "encoder_version"),
            (
                (sha256, versions.encoder, HalfVector(vector))
                for (sha256, _), vector in zip(rows, vectors, strict=True)
            ),
        )

    counts.row_count = _in_chunks(
        settings,
        "embed_comments",
        """
        select comment.text_sha256, min(comment.comment_text)
        from feedback.comment
        inner join analysis.text_language using (text_sha256)
        left join analysis.embedding
            on comment.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
        where
            comment.comment_state = 'text'
            and comment.text_sha256 >= %(after)s
            and text_language.language_code = any(%(languages)s)
            and embedding.text_sha256 is null
        group by comment.text_sha256
        order by comment.text_sha256
        limit %(chunk_size)s
        """,
        {"encoder": versions.encoder, "languages": list(versions.languages)},
        embed,
    )


def score_comments(settings: Settings, counts: TaskCounts) -> None:
    """Read sentiment and topics of every embedded text and intent that lacks them."""
    import numpy as np

    from patient_feedback.language.sentiment import load_sentiment_model
    from patient_feedback.language.topics import load_topic_model

    versions = versions_in_force(settings)
    sentiment_model = load_sentiment_model(versions.encoder)
    topic_model = load_topic_model(versions.encoder)

    def score(connection: psycopg.Connection, rows: Sequence[tuple[str, str, str, HalfVector]]) -> None:
        vectors = np.array([vector.to_numpy() for _, _, _, vector in rows], dtype=np.float32)
        intents = [intent for _, intent, _, _ in rows]
        texts = [text for _, _, text, _ in rows]
        keys = [(sha256, intent) for sha256, intent, _, _ in rows]
        _upsert(
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
            ),
            ("text_sha256", "question_intent", "sentiment_model_version"),
            (
                (*key, versions.sentiment, versions.encoder, reading.label, reading.score, reading.confidence)
                for key, reading in zip(keys, sentiment_model.score(vectors, intents, texts), strict=True)
            ),
        )
        mentions = topic_model.mentions(vectors, intents, texts)
        _upsert(
            connection,
            "analysis.topic_reading",
            ("text_sha256", "question_intent", "topic_model_version", "encoder_version", "topic_count"),
            ("text_sha256", "question_intent", "topic_model_version"),
            (
                (*key, versions.topics, versions.encoder, len(found))
                for key, found in zip(keys, mentions, strict=True)
            ),
        )
        _upsert(
            connection,
            "analysis.topic_mention",
            ("text_sha256", "question_intent", "topic_model_version", "topic_slug", "topic_confidence"),
            ("text_sha256", "question_intent", "topic_model_version", "topic_slug"),
            (
                (*key, versions.topics, mention.topic_slug, mention.confidence)
                for key, found in zip(keys, mentions, strict=True)
                for mention in found
            ),
        )

    counts.row_count = _in_chunks(
        settings,
        "score_comments",
        """
        with unread as (
            select comment.text_sha256, comment.question_intent, min(comment.comment_text) as comment_text
            from feedback.comment
            left join analysis.sentiment
                on
                    comment.text_sha256 = sentiment.text_sha256
                    and comment.question_intent = sentiment.question_intent
                    and sentiment.sentiment_model_version = %(sentiment)s
            left join analysis.topic_reading
                on
                    comment.text_sha256 = topic_reading.text_sha256
                    and comment.question_intent = topic_reading.question_intent
                    and topic_reading.topic_model_version = %(topics)s
            where
                comment.comment_state = 'text'
                and comment.text_sha256 >= %(after)s
                and (sentiment.text_sha256 is null or topic_reading.text_sha256 is null)
            group by comment.text_sha256, comment.question_intent
        )

        select unread.text_sha256, unread.question_intent, unread.comment_text, embedding.embedding
        from unread
        inner join analysis.embedding using (text_sha256)
        where embedding.encoder_version = %(encoder)s
        order by unread.text_sha256, unread.question_intent
        limit %(chunk_size)s
        """,
        {"encoder": versions.encoder, "sentiment": versions.sentiment, "topics": versions.topics},
        score,
    )


def check_analysis(settings: Settings, task_run: TaskRun, counts: TaskCounts) -> None:
    """Run the analysis gate on what the models in force read; raise GateError where it stops publication."""
    from patient_feedback.checks.outcomes import require_open
    from patient_feedback.checks.runner import GateSubject, run_gate

    versions = versions_in_force(settings)
    with connect(settings, "check_analysis") as connection:
        theme_set = connection.execute(
            "select theme_set_id from analysis.theme_set where is_current"
        ).fetchone()
    parameters: dict[str, ParameterValue] = {
        "encoder_version": versions.encoder,
        "sentiment_model_version": versions.sentiment,
        "topic_model_version": versions.topics,
        "supported_languages": list(versions.languages),
    }
    if theme_set:
        parameters["theme_set_id"] = theme_set[0]
    outcomes = run_gate(
        settings, "analysis", GateSubject(name=versions.encoder, parameters=parameters), task_run.run_id
    )
    counts.row_count = len(outcomes)
    counts.counts["failed_check_count"] = sum(outcome.outcome != "passed" for outcome in outcomes)
    require_open(outcomes, versions.encoder)


def _in_chunks(
    settings: Settings,
    stage: str,
    query: str,
    parameters: dict[str, object],
    process: Callable[[psycopg.Connection, list[tuple]], object],
) -> int:
    """Process what `query` still finds, one committed chunk after another, in the order of the hashes."""
    from pgvector.psycopg import register_vector

    count, after = 0, ""
    while True:
        with connect(settings, stage) as connection:
            register_vector(connection)
            rows = connection.execute(
                query, {**parameters, "after": after, "chunk_size": CHUNK_SIZE}
            ).fetchall()
            if not rows:
                return count
            process(connection, rows)
            count += len(rows)
            after = rows[-1][0]


def _upsert(
    connection: psycopg.Connection,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    rows: Iterator[tuple[object, ...]],
) -> None:
    """COPY rows into a temporary copy of `table`, then insert or replace them by `key`."""
    names = ", ".join(columns)
    staged = f"staged_{table.replace('.', '_')}"
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
