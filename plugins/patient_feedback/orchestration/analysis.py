"""Analyse: language, embedding, sentiment and topics of each distinct redacted text, once per version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from patient_feedback.checks.queries import ParameterValue
from patient_feedback.errors import FeedbackError, ModelError
from patient_feedback.language.answer_kind import comment_reading
from patient_feedback.language.segments import several_segments, without_context
from patient_feedback.orchestration.analysis_rows import (
    READING_RULES,
    SEGMENTATION_VERSION,
    STATEMENTS,
    segments_of,
    upsert,
    write_segment_sentiments,
    write_sentiments,
    write_serious,
    write_topics,
    write_vectors,
)
from patient_feedback.orchestration.statements import named_statements
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

if TYPE_CHECKING:
    from pgvector import HalfVector

    from patient_feedback.language.encoder import Encoder
    from patient_feedback.language.readers import SentimentReader, TopicReader
    from patient_feedback.language.serious import SeriousCategory

CHUNK_SIZE = 2_048
"""Texts per transaction: a killed run loses at most one chunk of work."""
PARTITION_TEXTS = 50_000
"""Texts per mapped task: less is one task, since each loads the models anew."""
MOST_PARTITIONS = 256
"""Beyond it the partitions grow: Airflow bounds how many tasks one is mapped to."""
TABLES_BY_TEXT = (
    "sentiment",
    "topic_reading",
    "theme_mention",
    "theme_assignment",
    "embedding",
    "text_language",
    "serious_reading",
)
"""Of the schema `analysis`: each has rows for texts, which go when the text does."""


@dataclass(frozen=True, slots=True)
class AnalysisVersions:
    """The models in force; a row of `analysis` names the ones that made it."""

    encoder: str
    sentiment: str
    topics: str
    detector: str
    languages: tuple[str, ...]
    taxonomies: tuple[str, ...] = ()
    """Versions of the readers of declared taxonomies."""
    serious: str = ""
    """Version of the detector of serious comments."""
    serious_languages: tuple[str, ...] = ()
    """Languages that its patterns are written in."""

    @property
    def topic_models(self) -> list[str]:
        """The versions of all topic models, that of the fixed taxonomy first."""
        return [self.topics, *self.taxonomies]


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of the texts' hashes: from `start` on, below `end` where there is one."""

    start: str = ""
    end: str | None = None


WHOLE = Partition()


@dataclass(frozen=True, slots=True)
class _Readers:
    sentiment: SentimentReader
    topics: list[TopicReader]
    """That of the fixed taxonomy, then those of declared ones."""


def versions_in_force(settings: Settings) -> AnalysisVersions:
    """Return the versions; the heads are a few megabytes, the encoder is not loaded.

    An encoder that no heads were trained for is read by written descriptions: its versions say zero_shot.
    """
    from patient_feedback.language.detection import DETECTOR_VERSION
    from patient_feedback.language.encoder import encoder_languages, encoder_version
    from patient_feedback.language.readers import sentiment_reader_version, topic_reader_version
    from patient_feedback.language.serious import load_serious_reader
    from patient_feedback.language.serious_nearness import nearness_version
    from patient_feedback.language.taxonomy import load_taxonomies

    serious = load_serious_reader()
    encoder = encoder_version(settings.encoder_name)
    return AnalysisVersions(
        encoder=encoder,
        sentiment=sentiment_reader_version(encoder),
        topics=topic_reader_version(encoder),
        detector=DETECTOR_VERSION,
        languages=tuple(sorted(encoder_languages(settings.encoder_name))),
        taxonomies=tuple(
            taxonomy.reader_version(encoder) for taxonomy in load_taxonomies(settings.taxonomies_dir)
        ),
        serious=f"{serious.version}+{nearness_version(encoder)}",
        serious_languages=serious.languages,
    )


def detect_languages(settings: Settings, counts: TaskCounts) -> list[Partition]:
    """Detect the language of every text that the detector in force has not read.

    What was read in texts that no comment holds any more is forgotten first. Returns the partitions in
    which the texts with anything left to read can be embedded and scored.
    """
    from patient_feedback.language import detection

    versions = versions_in_force(settings)
    counts.counts["forgotten_text_count"] = forget_unsaid_texts(settings)
    note_taxonomies(settings, versions)

    def read(connection: psycopg.Connection, rows: Sequence[tuple[str, str, str | None]]) -> None:
        detected = detection.detect_languages(
            [text for _, text, _ in rows], [declared for _, _, declared in rows]
        )
        upsert(
            connection,
            "analysis.text_language",
            ("text_sha256", "language_code", "language_confidence", "language_basis", "detector_version"),
            ("text_sha256",),
            (
                (sha256, found.language_code, found.confidence, found.basis, versions.detector)
                for (sha256, _, _), found in zip(rows, detected, strict=True)
            ),
        )

    counts.row_count = _in_chunks(
        settings, "detect_languages", "texts_without_language", {"detector": versions.detector}, WHOLE, read
    )
    partitions = plan_partitions(settings, versions)
    counts.counts["partition_count"] = len(partitions)
    return partitions


def forget_unsaid_texts(settings: Settings) -> int:
    """Delete vectors and readings of texts that no comment holds any more; return how many texts had a vector.

    A vector tells much of the words it was made from: who withdraws feedback withdraws it too.
    """
    statements = named_statements(STATEMENTS)
    statement = sql.SQL(statements["forget_unsaid_texts"])
    with connect(settings, "detect_languages") as connection:
        deleted = {
            table: connection.execute(statement.format(held_table=sql.Identifier("analysis", table))).rowcount
            for table in TABLES_BY_TEXT
        }
        # Last, since every deletion was noted there.
        connection.execute(statement.format(held_table=sql.Identifier("analysis", "text_change")))
        connection.execute(statements["forget_unsaid_exemplars"])
        connection.execute(statements["forget_unsaid_region_exemplars"])
    return deleted["embedding"]


def note_taxonomies(settings: Settings, versions: AnalysisVersions) -> None:
    """Write the topics of the declared taxonomies where the marts find them; those declared no more say so."""
    from patient_feedback.language.taxonomy import load_taxonomies

    rows = [
        (
            taxonomy.topic_slug(label),
            taxonomy.slug,
            taxonomy.label,
            label.label,
            label.description,
            "examples" if label.examples else "zero_shot",
            taxonomy.reader_version(versions.encoder),
            True,
        )
        for taxonomy in load_taxonomies(settings.taxonomies_dir)
        for label in taxonomy.labels
    ]
    with connect(settings, "detect_languages") as connection:
        connection.execute(
            "update analysis.taxonomy_topic set is_declared = false where is_declared and topic_slug <> all(%s)",
            ([topic_slug for topic_slug, *_ in rows],),
        )
        upsert(
            connection,
            "analysis.taxonomy_topic",
            (
                "topic_slug",
                "taxonomy_slug",
                "taxonomy_label",
                "topic_label",
                "topic_description",
                "topic_basis",
                "topic_model_version",
                "is_declared",
            ),
            ("topic_slug",),
            rows,
        )


def plan_partitions(
    settings: Settings, versions: AnalysisVersions, partition_texts: int = PARTITION_TEXTS
) -> list[Partition]:
    """Cut the texts that lack a vector or a reading into ranges of about equally many; at least one range.

    The ranges cover all hashes, so that a text accepted meanwhile falls into one.
    """
    with connect(settings, "detect_languages") as connection:
        starts = connection.execute(
            named_statements(STATEMENTS)["partition_starts"],
            {
                **_wanted(versions),
                "languages": list(versions.languages),
                "partition_texts": partition_texts,
                "most_partitions": MOST_PARTITIONS,
            },
        ).fetchall()
    bounds = ["", *(start for (start,) in starts[1:])]
    return [Partition(start, end) for start, end in zip(bounds, [*bounds[1:], None], strict=True)]


def embed_comments(settings: Settings, counts: TaskCounts, partition: Partition = WHOLE) -> None:
    """Embed every text of the partition in a language of the encoder that has no vector of its version.

    A text that speaks of several things gets a vector for each of its segments too.
    """
    from patient_feedback.language.encoder import load_encoder

    versions = versions_in_force(settings)
    encoder = None
    segment_count = 0

    def embed(connection: psycopg.Connection, rows: Sequence[tuple[str, str, str]]) -> None:
        nonlocal encoder, segment_count
        if encoder is None:  # loading the weights takes seconds: only where there is something to embed
            encoder = load_encoder(settings.encoder_name, settings.worker_threads)
        hashes = [sha256 for sha256, *_ in rows]
        spans = [several_segments(text, language) for _, text, language in rows]
        vectors, segment_vectors = encoder.encode_spans([text for _, text, _ in rows], spans)
        owners = [row for row, own in enumerate(spans) for _ in own]
        segment_vectors = without_context(segment_vectors, vectors[owners])
        # Of rules for cutting that were in force before; the themes of such texts are read again too.
        connection.execute(
            named_statements(STATEMENTS)["drop_segments"],
            {"encoder": versions.encoder, "hashes": hashes},
        )
        write_vectors(connection, versions.encoder, hashes, vectors, spans, segment_vectors)
        segment_count += len(segment_vectors)

    counts.row_count = _in_chunks(
        settings,
        "embed_comments",
        "texts_to_embed",
        {**_wanted(versions), "languages": list(versions.languages)},
        partition,
        embed,
    )
    counts.counts["segment_count"] = segment_count


def score_comments(settings: Settings, counts: TaskCounts, partition: Partition = WHOLE) -> None:
    """Read sentiment, kind of answer and topics of every embedded text and intent of the partition that lacks them."""
    import numpy as np

    from patient_feedback.language.readers import read_topics

    versions = versions_in_force(settings)
    readers: _Readers | None = None

    def score(connection: psycopg.Connection, rows: Sequence[tuple[str, str, str, HalfVector]]) -> None:
        nonlocal readers
        if readers is None:
            readers = _load_readers(settings, versions)
        vectors = np.array([vector.to_numpy() for _, _, _, vector in rows], dtype=np.float32)
        keys = [(sha256, intent) for sha256, intent, _, _ in rows]
        intents = [intent for _, intent, _, _ in rows]
        texts = [text for _, _, text, _ in rows]
        segments = segments_of(connection, versions.encoder, rows)
        # A model is not asked about nothing: many chunks of short comments have no segments.
        parts = (
            readers.sentiment.score(
                segments.vectors,
                [intents[owner] for owner in segments.owners],
                segments.texts,
            )
            if segments.texts
            else []
        )
        part_scores: list[list[float]] = [[] for _ in rows]
        for owner, part in zip(segments.owners, parts, strict=True):
            part_scores[owner].append(part.score)
        write_sentiments(
            connection,
            versions.sentiment,
            versions.encoder,
            keys,
            readers.sentiment.score(vectors, intents, texts),
            [comment_reading(*read) for read in zip(texts, intents, part_scores, strict=True)],
        )
        write_segment_sentiments(connection, versions.sentiment, keys, segments, parts)
        for reader in readers.topics:
            found = read_topics(reader, vectors, intents, texts, segments.vectors, segments.owners)
            write_topics(connection, versions.encoder, reader.version, keys, found)

    counts.row_count = _in_chunks(
        settings, "score_comments", "texts_to_score", _wanted(versions), partition, score
    )


def read_serious_comments(settings: Settings, counts: TaskCounts, partition: Partition = WHOLE) -> None:
    """Read every text of the partition that the detector in force has not read for what is serious.

    By patterns in their languages, by nearness where the text has a vector; texts in other languages are counted
    as not read. Nothing of a text is kept but its hash, the categories, and which patterns were found.
    """
    import numpy as np

    from patient_feedback.language.encoder import load_encoder
    from patient_feedback.language.serious import load_serious_reader
    from patient_feedback.language.serious_nearness import SeriousNearness

    versions = versions_in_force(settings)
    reader = load_serious_reader()
    nearness: SeriousNearness | None = None

    def read(connection: psycopg.Connection, rows: Sequence[tuple[str, str, str | None, HalfVector]]) -> None:
        nonlocal nearness
        found = [reader.read(text, language) or [] for _, text, language, _ in rows]
        with_vector = [place for place, row in enumerate(rows) if row[3] is not None]
        near: list[SeriousCategory | None] = [None] * len(rows)
        if with_vector:
            if nearness is None:
                nearness = SeriousNearness.fit(load_encoder(settings.encoder_name, settings.worker_threads))
            embedded = [(rows[place][0], "", rows[place][1], rows[place][3]) for place in with_vector]
            segments = segments_of(connection, versions.encoder, embedded)
            vectors = np.array([vector.to_numpy() for *_, vector in embedded], dtype=np.float32)
            for place, category in zip(
                with_vector, nearness.near(vectors, segments.vectors, segments.owners), strict=True
            ):
                near[place] = category
        write_serious(connection, versions.serious, rows, found, near)

    counts.row_count = _in_chunks(
        settings,
        "read_serious_comments",
        "texts_to_read_for_seriousness",
        {
            "detector": versions.serious,
            "languages": list(versions.serious_languages),
            "encoder": versions.encoder,
        },
        partition,
        read,
    )
    with connect(settings, "read_serious_comments") as connection:
        row = connection.execute(
            named_statements(STATEMENTS)["count_not_read_for_seriousness"],
            {"detector": versions.serious, "after": partition.start, "until": partition.end},
        ).fetchone()
    assert row is not None
    counts.counts["not_read_count"] = int(row[0])


def announce_readings(settings: Settings, counts: TaskCounts) -> None:
    """Count the readings of the models in force, once every partition is done."""
    versions = versions_in_force(settings)
    with connect(settings, "announce_readings") as connection:
        row = connection.execute(
            "select count(*) from analysis.sentiment where sentiment_model_version = %s",
            (versions.sentiment,),
        ).fetchone()
    assert row is not None
    counts.row_count = int(row[0])


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
        "serious_detector_version": versions.serious,
        "serious_languages": list(versions.serious_languages),
    }
    if theme_set:
        parameters["theme_set_id"] = theme_set[0]
    outcomes = run_gate(
        settings, "analysis", GateSubject(name=versions.encoder, parameters=parameters), task_run.run_id
    )
    counts.row_count = len(outcomes)
    counts.counts["failed_check_count"] = sum(outcome.outcome != "passed" for outcome in outcomes)
    require_open(outcomes, versions.encoder)


def _wanted(versions: AnalysisVersions) -> dict[str, object]:
    """Return what a text must have been read by to be left alone."""
    return {
        "encoder": versions.encoder,
        "segmentation": SEGMENTATION_VERSION,
        "sentiment": versions.sentiment,
        "reading_rules": READING_RULES,
        "topics": versions.topic_models,
    }


def _load_readers(settings: Settings, versions: AnalysisVersions) -> _Readers:
    """Load the models in force; the encoder only where written descriptions have to be embedded."""
    from patient_feedback.language.encoder import load_encoder
    from patient_feedback.language.readers import load_sentiment_reader, load_topic_reader
    from patient_feedback.language.taxonomy import TaxonomyReader, load_taxonomies

    @cache
    def encoder() -> Encoder:
        return load_encoder(settings.encoder_name, settings.worker_threads)

    readers = _Readers(
        sentiment=load_sentiment_reader(versions.encoder, encoder),
        topics=[
            load_topic_reader(versions.encoder, encoder),
            *(
                TaxonomyReader.fit(encoder(), taxonomy)
                for taxonomy in load_taxonomies(settings.taxonomies_dir)
            ),
        ],
    )
    loaded = [readers.sentiment.version, *(reader.version for reader in readers.topics)]
    wanted = [versions.sentiment, *versions.topic_models]
    if loaded != wanted:
        raise ModelError(
            f"The models or taxonomies changed while the task ran: loaded {', '.join(loaded)}, expected "
            f"{', '.join(wanted)}. Start the run again, so that every task works with the same ones."
        )
    return readers


def _in_chunks(
    settings: Settings,
    stage: str,
    statement: str,
    parameters: dict[str, object],
    partition: Partition,
    process: Callable[[psycopg.Connection, list[tuple]], object],
) -> int:
    """Process what the statement still finds, one committed chunk after another, in the order of the hashes.

    Raises FeedbackError where processing a chunk did not take it off what is left.
    """
    from pgvector.psycopg import register_vector

    query = named_statements(STATEMENTS)[statement]
    count, after = 0, partition.start
    keys: list[tuple] = []
    while True:
        with connect(settings, stage) as connection:
            register_vector(connection)
            rows = connection.execute(
                query, {**parameters, "after": after, "until": partition.end, "chunk_size": CHUNK_SIZE}
            ).fetchall()
            if not rows:
                return count
            if keys == (keys := [row[:2] for row in rows]):
                raise FeedbackError(
                    f"{stage} read {len(rows)} texts, and they are still to be read: models or taxonomies "
                    "changed meanwhile. Start the run again."
                )
            process(connection, rows)
            count += len(rows)
            after = rows[-1][0]
