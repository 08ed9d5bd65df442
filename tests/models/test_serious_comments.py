"""Serious comments with the real encoder: the held-out examples, and what the analysis stage stores."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
import yaml

from patient_feedback.errors import ModelError
from patient_feedback.language import encoder as encoder_module
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.segments import several_segments, without_context
from patient_feedback.language.serious import load_serious_reader
from patient_feedback.language.serious_nearness import SeriousNearness
from patient_feedback.orchestration import analysis
from patient_feedback.orchestration.task_run import TaskCounts
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

HELD_OUT = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "fixtures" / "serious_comments" / "held_out.yml").read_text(
        "utf-8"
    )
)
# As measured when they were written (docs/model_cards/serious_comments.md): what is missed, by language.
FOUND = {"en": (58, 63), "sv": (8, 33)}
FALSE_ALARMS = {"en": (13, 40), "sv": (2, 18)}


@pytest.fixture(scope="module")
def nearness(encoder: Encoder) -> SeriousNearness:
    return SeriousNearness.fit(encoder)


@pytest.fixture(scope="module")
def listed(encoder: Encoder, nearness: SeriousNearness) -> dict[str, dict[str, list[bool]]]:
    """Whether each held-out comment is listed, by language and kind."""
    reader = load_serious_reader()
    found: dict[str, dict[str, list[bool]]] = {}
    for language, by_kind in HELD_OUT.items():
        for kind, texts in by_kind.items():
            near = [None] * len(texts)
            if language in encoder.languages:
                spans = [several_segments(text, language) for text in texts]
                vectors, parts = encoder.encode_spans(texts, spans)
                owners = [row for row, own in enumerate(spans) for _ in own]
                near = nearness.near(vectors, without_context(parts, vectors[owners]), owners)
            found.setdefault(language, {})[kind] = [
                bool(reader.read(text, language)) or category is not None
                for text, category in zip(texts, near, strict=True)
            ]
    return found


@pytest.mark.parametrize("language", ["en", "sv"])
def test_held_out_comments_are_found_as_the_model_card_says(
    listed: dict[str, dict[str, list[bool]]], language: str
) -> None:
    serious = [hit for kind, hits in listed[language].items() if kind != "none" for hit in hits]
    near_misses = listed[language]["none"]
    assert (len(serious), len(near_misses)) == (FOUND[language][1], FALSE_ALARMS[language][1])
    # One either way: processors differ in the last digits of a vector.
    assert sum(serious) == pytest.approx(FOUND[language][0], abs=1)
    assert sum(near_misses) == pytest.approx(FALSE_ALARMS[language][0], abs=1)


def test_vectors_of_another_encoder_are_refused(nearness: SeriousNearness) -> None:
    with pytest.raises(ModelError, match="embed the texts with the encoder"):
        nearness.near(np.ones((1, 3), np.float32), np.ones((0, 3), np.float32), [])


SAID = {
    "They gave Ottoline Quisby the wrong tablets twice on the ward": "en",
    "I have the pills lined up and nobody rings back.": "en",
    "The nurse was kind and the tea was warm, thank you.": "en",
    "Jag vill inte leva längre.": "sv",
    "Haluan kuolla, kukaan ei auta minua täällä.": "fi",
    "want die": None,
}


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def spoken(
    warehouse: Settings, encoder: Encoder, nearness: SeriousNearness, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A warehouse with the comments of `SAID`, embedded where the encoder reads them."""
    monkeypatch.setattr(encoder_module, "load_encoder", lambda *_: encoder)
    monkeypatch.setattr(SeriousNearness, "fit", lambda _: nearness)
    with connect(warehouse, "test") as connection:
        connection.execute(
            "insert into landing.delivery (delivery_id, source_slug, file_name, file_sha256, file_size_bytes, "
            "file_modified_at, landing_url, declaration_sha256, delivery_state) "
            "values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted')"
        )
        for number, (text, language) in enumerate(SAID.items()):
            connection.execute(
                "insert into feedback.response (response_id, source_slug, source_record_ref, record_version, "
                "submitted_on_basis, received_at, delivery_id) values (%s, 's', 'r', 1, 'declared', now(), 'd')",
                (f"r{number}",),
            )
            connection.execute(
                "insert into feedback.comment (comment_id, response_id, source_slug, source_record_ref, "
                "question_slug, question_intent, comment_state, text_sha256, comment_text, redaction_version, "
                "delivery_id, record_number) values (%s, %s, 's', 'r', 'q', 'open', 'text', %s, %s, '1', 'd', 1)",
                (f"c{number}", f"r{number}", hash_of(text), text),
            )
            connection.execute(
                "insert into analysis.text_language values (%s, %s, 0.9, %s, 'd', now())",
                (hash_of(text), language, "detected" if language else "undetermined"),
            )
    analysis.embed_comments(warehouse, TaskCounts())
    return warehouse


def found(settings: Settings) -> dict[str, tuple[str, list[str], list[str]]]:
    """Return for each text that was read how, its categories and their bases."""
    with connect(settings, "test") as connection:
        rows = connection.execute(
            "select text_sha256, reading_basis, array_remove(array_agg(category order by category), null), "
            "array_remove(array_agg(basis order by category), null), min(category_count) from analysis.serious_reading "
            "left join analysis.serious_mention using (text_sha256, detector_version) "
            "where detector_version = %s group by 1, 2",
            (analysis.versions_in_force(settings).serious,),
        ).fetchall()
    assert all(count == len(categories) for _, _, categories, _, count in rows)
    text_of = {hash_of(text): text for text in SAID}
    return {text_of[sha256]: (how, categories, bases) for sha256, how, categories, bases, _ in rows}


def test_texts_are_read_once_by_patterns_and_nearness_and_other_languages_are_counted(
    spoken: Settings,
) -> None:
    counts = TaskCounts()
    analysis.read_serious_comments(spoken, counts)
    assert (counts.row_count, counts.counts["not_read_count"]) == (5, 1)
    tablets, pills, kind, swedish, finnish, undetermined = SAID
    readings = found(spoken)
    assert finnish not in readings
    assert readings[tablets][:2] == ("phrases_and_nearness", ["harm"])
    assert readings[tablets][2][0].startswith("wrong_medicine")
    assert readings[pills] == ("phrases_and_nearness", ["self_harm"], ["nearness"])
    assert readings[kind] == ("phrases_and_nearness", [], [])
    assert readings[swedish] == ("phrases", ["self_harm"], ["vilja_do"])
    assert readings[undetermined][0] == "phrases"

    again = TaskCounts()
    analysis.read_serious_comments(spoken, again)
    assert again.row_count == 0


def test_new_detector_reads_everything_anew_and_keeps_the_old_rows(
    spoken: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis.read_serious_comments(spoken, TaskCounts())
    before = found(spoken)
    monkeypatch.setattr("patient_feedback.language.serious_nearness.NEARNESS_RULES_VERSION", "next")
    counts = TaskCounts()
    analysis.read_serious_comments(spoken, counts)
    assert counts.row_count == 5
    assert found(spoken) == before
    with connect(spoken, "test") as connection:
        assert connection.execute("select count(*) from analysis.serious_reading").fetchone() == (10,)


def test_text_that_gets_its_vector_later_is_compared_then(spoken: Settings) -> None:
    with connect(spoken, "test") as connection:
        connection.execute("create temporary table kept on commit drop as select * from analysis.embedding")
        connection.execute("delete from analysis.embedding")
    analysis.read_serious_comments(spoken, TaskCounts())
    pills = list(SAID)[1]
    assert found(spoken)[pills] == ("phrases", [], [])
    analysis.embed_comments(spoken, TaskCounts())
    analysis.read_serious_comments(spoken, TaskCounts())
    assert found(spoken)[pills] == ("phrases_and_nearness", ["self_harm"], ["nearness"])


def test_withdrawn_text_takes_its_readings_with_it(spoken: Settings) -> None:
    analysis.read_serious_comments(spoken, TaskCounts())
    with connect(spoken, "test") as connection:
        connection.execute("delete from feedback.comment where comment_id in ('c0', 'c1')")
    analysis.forget_unsaid_texts(spoken)
    assert not set(list(SAID)[:2]) & set(found(spoken))


def test_no_word_of_a_comment_reaches_logs_counts_or_the_tables(
    spoken: Settings, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    counts = TaskCounts()
    with caplog.at_level(logging.DEBUG):
        analysis.read_serious_comments(spoken, counts)
    with connect(spoken, "test") as connection:
        [(stored,)] = connection.execute(
            "select string_agg(told, ' ') from (select to_jsonb(reading)::text as told from analysis.serious_reading "
            "as reading union all select to_jsonb(mention)::text from analysis.serious_mention as mention "
            "union all select to_jsonb(entry)::text from analysis.serious_entry as entry) as all_rows"
        ).fetchall()
    shown = " ".join([stored, caplog.text, repr(counts), *capfd.readouterr()])
    assert "wrong_medicine" in shown
    for word in ("Quisby", "tablets twice", "lined up", "leva"):
        assert word not in shown
