"""The analysis of stored comments with the real models: parts, kinds of answers, partitions, forgetting."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patient_feedback.language import encoder as encoder_module
from patient_feedback.language.encoder import Encoder
from patient_feedback.orchestration import analysis
from patient_feedback.orchestration.task_run import TaskCounts
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

TWO_SIDED = "The nurses were wonderful and so kind but the receptionist was rude and ignored me"
SAID = [
    (TWO_SIDED, "open"),
    (TWO_SIDED, "what_to_improve"),
    ("Nothing", "what_to_improve"),
    ("Nothing", "what_was_good"),
    ("N/A", "open"),
    ("The midwife explained everything to us in plain words and was very kind", "what_was_good"),
    ("I waited five hours in a cold corridor. Nobody told me why.", "what_to_improve"),
]


@pytest.fixture
def loaded(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the analysis use the encoder that the session has loaded; the list grows by one at each load."""
    loads: list[str] = []

    def load(name: str, *_: object, **__: object) -> Encoder:
        loads.append(name)
        return encoder

    monkeypatch.setattr(encoder_module, "load_encoder", load)
    return loads


@pytest.fixture
def spoken(warehouse: Settings) -> Settings:
    """A warehouse with the comments of `SAID`."""
    say(warehouse, SAID)
    return warehouse


def say(settings: Settings, comments: Sequence[tuple[str, str]]) -> None:
    with connect(settings, "test") as connection:
        connection.execute(
            "insert into landing.delivery (delivery_id, source_slug, file_name, file_sha256, file_size_bytes, "
            "file_modified_at, landing_url, declaration_sha256, delivery_state) "
            "values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted') on conflict do nothing"
        )
        for number, (text, intent) in enumerate(comments):
            connection.execute(
                "insert into feedback.response (response_id, source_slug, source_record_ref, record_version, "
                "submitted_on_basis, received_at, delivery_id) values (%s, 's', %s, 1, 'declared', now(), 'd')",
                (f"r{number}", f"r{number}"),
            )
            connection.execute(
                "insert into feedback.comment (comment_id, response_id, source_slug, source_record_ref, "
                "question_slug, question_intent, comment_state, text_sha256, comment_text, redaction_version, "
                "declared_language_code, delivery_id, record_number) "
                "values (%s, %s, 's', 'x', 'q', %s, 'text', %s, %s, '1', 'en', 'd', %s)",
                (f"c{number}", f"r{number}", intent, sha256(text), text, number),
            )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def analyse(settings: Settings) -> list[analysis.Partition]:
    partitions = analysis.detect_languages(settings, TaskCounts())
    for task in (analysis.embed_comments, analysis.score_comments):
        for partition in partitions:
            task(settings, TaskCounts(), partition)
    return partitions


def rows(settings: Settings, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with connect(settings, "test") as connection:
        return connection.execute(query, parameters).fetchall()


def everything_read(settings: Settings) -> list[tuple[Any, ...]]:
    return [
        row
        for table in ("embedding", "text_segment", "sentiment", "segment_sentiment", "topic_mention")
        for row in rows(
            settings,
            f"select to_jsonb(held) - 'embedded_at' - 'scored_at' from analysis.{table} as held order by held::text",
        )
    ]


def test_comment_that_praises_and_blames_is_read_in_parts(spoken: Settings, loaded: list[str]) -> None:
    analyse(spoken)
    parts = rows(
        spoken,
        "select substr(%s, start_character + 1, end_character - start_character), sentiment_score "
        "from analysis.text_segment inner join analysis.segment_sentiment using (text_sha256, segment_index) "
        "where text_sha256 = %s and question_intent = 'open' order by segment_index",
        TWO_SIDED,
        sha256(TWO_SIDED),
    )
    assert [text for text, _ in parts] == [
        "The nurses were wonderful and so kind",
        "but the receptionist was rude and ignored me",
    ]
    assert parts[0][1] > 0.3 and parts[1][1] < -0.1
    segmented = {row[0] for row in rows(spoken, "select text_sha256 from analysis.text_segment")}
    assert sha256("Nothing") not in segmented, "a text of one part has the vector of the text alone"


def test_answers_without_a_subject_say_what_they_mean(spoken: Settings, loaded: list[str]) -> None:
    analyse(spoken)
    readings = {
        (text, intent): rows(
            spoken,
            "select comment_reading from analysis.sentiment where text_sha256 = %s and question_intent = %s",
            sha256(text),
            intent,
        )
        for text, intent in SAID
    }
    assert readings["Nothing", "what_to_improve"] == [("nothing_to_improve",)]
    assert readings["Nothing", "what_was_good"] == [("nothing_was_good",)]
    assert readings["N/A", "open"] == [("no_content",)]
    assert readings[SAID[5]] == [("content",)]


def test_partitions_read_the_same_as_one_run_and_a_second_run_reads_nothing(
    spoken: Settings, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert analyse(spoken) == [analysis.WHOLE], "few texts are one partition"
    whole = everything_read(spoken)
    assert analyse(spoken) == [analysis.WHOLE]
    assert len(loaded) == 1, "nothing new: the encoder is not loaded"
    assert everything_read(spoken) == whole

    with connect(spoken, "test") as connection:
        connection.execute("truncate analysis.embedding, analysis.sentiment, analysis.topic_reading cascade")
    monkeypatch.setattr(analysis.plan_partitions, "__defaults__", (2,))
    partitions = analyse(spoken)
    assert len(partitions) == 3, "five texts by two"
    assert everything_read(spoken) == whole


def test_texts_cut_by_other_rules_are_read_again(spoken: Settings, loaded: list[str]) -> None:
    analyse(spoken)
    whole = everything_read(spoken)
    with connect(spoken, "test") as connection:
        connection.execute(
            "update analysis.embedding set segmentation_version = 'segments-0';"
            "update analysis.sentiment set reading_rules_version = 'segments-0', comment_reading = 'content';"
            "update analysis.text_segment set end_character = start_character + 1"
        )
    analyse(spoken)
    assert everything_read(spoken) == whole


def test_nothing_is_kept_of_a_text_that_was_withdrawn(spoken: Settings, loaded: list[str]) -> None:
    analyse(spoken)
    with connect(spoken, "test") as connection:
        connection.execute("delete from feedback.comment where comment_text = %s", (TWO_SIDED,))
    counts = TaskCounts()
    analysis.detect_languages(spoken, counts)
    assert counts.counts["forgotten_text_count"] == 1
    for table in (
        *("text_language", "embedding", "text_segment", "sentiment", "segment_sentiment"),
        *("topic_reading", "topic_mention"),
    ):
        held = {row[0] for row in rows(spoken, f"select text_sha256 from analysis.{table}")}
        assert sha256(TWO_SIDED) not in held, table
        assert held, table


def test_declared_taxonomy_is_read_once_and_stays_marked_when_it_is_declared_no_more(
    spoken: Settings, loaded: list[str], project_dir: Path, tmp_path: Path
) -> None:
    analyse(spoken)
    shutil.copy(project_dir / "examples" / "taxonomies" / "digital_access.yml", tmp_path)
    with connect(spoken, "test") as connection:
        connection.execute(
            "update feedback.comment set comment_text = %s, text_sha256 = %s where comment_id = 'c6'",
            ("I cannot log in to the app with my password", sha256("log in")),
        )
    declared = replace(spoken, taxonomies_dir=tmp_path)
    analyse(declared)
    [version] = analysis.versions_in_force(declared).taxonomies
    found = rows(
        spoken,
        "select text_sha256, topic_slug from analysis.topic_mention where topic_model_version = %s",
        version,
    )
    assert found == [(sha256("log in"), "digital_access__logging_in")]
    read = "select count(*) from analysis.topic_reading where topic_model_version = %s"
    assert rows(spoken, read, version) == [(len(SAID),)], "every text was read, most hold no label"
    loads = len(loaded)
    analyse(declared)
    assert len(loaded) == loads, "nothing new: neither encoder nor taxonomy is loaded"

    analyse(spoken)
    assert rows(spoken, "select distinct is_declared from analysis.taxonomy_topic") == [(False,)]
