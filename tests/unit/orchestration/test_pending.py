"""What a run finds left to do after a killed one."""

from __future__ import annotations

from patient_feedback.orchestration.analysis import AnalysisVersions
from patient_feedback.orchestration.pending import has_unpublished_feedback
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

VERSIONS = AnalysisVersions("encoder", "sentiment-2", "topics-1", "detector", ("en",))


def publish(settings: Settings, age: str) -> None:
    with connect(settings, "test") as connection:
        connection.execute("update audit.publication set is_current = false")
        connection.execute(
            "insert into audit.publication (marts_slot, published_at, run_id, feedback_ledger_id) "
            "values ('marts_blue', now() - %s::interval, 'run', 1000)",
            (age,),
        )


def test_readings_that_a_killed_run_left_unpublished_are_announced(warehouse: Settings) -> None:
    publish(warehouse, "1 hour")
    assert not has_unpublished_feedback(warehouse, VERSIONS)
    with connect(warehouse, "test") as connection:
        connection.execute(
            "insert into analysis.sentiment (text_sha256, question_intent, sentiment_model_version, encoder_version, "
            "sentiment_label, sentiment_score, sentiment_confidence) "
            "values ('aa', 'open', 'sentiment-2', 'encoder', 'positive', 0.5, 0.9)"
        )
    assert has_unpublished_feedback(warehouse, VERSIONS)
    publish(warehouse, "0 seconds")
    assert not has_unpublished_feedback(warehouse, VERSIONS)
