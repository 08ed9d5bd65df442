"""What is left to do downstream of the landing gate: how a run after a killed one knows to go on."""

from __future__ import annotations

from patient_feedback.orchestration.analysis import AnalysisVersions
from patient_feedback.orchestration.analysis_rows import READING_RULES
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import load_sources
from patient_feedback.warehouse.connection import connect

CHANGES_OF_FEEDBACK = (
    "delivery_decided",
    "set_aside_released",
    "set_aside_waived",
    "theme_set_fitted",
    "theme_decided",
    "serious_decided",
)


def has_deliveries_under_way(settings: Settings) -> bool:
    """True while a delivery that landed within the last hour waits for its gate, and a run is there to open it.

    None is for a source that is no longer declared, nor where the source's newest task has failed: waiting
    for those would keep everybody's numbers back.
    """
    declared = [source.slug for source in load_sources(settings.sources_file)]
    with connect(settings, "announce_feedback") as connection:
        row = connection.execute(
            """
            select exists (
                select from landing.delivery
                where
                    delivery_state = 'landed'
                    and landed_at > now() - interval '1 hour'
                    and source_slug = any(%(declared)s)
                    and coalesce((
                        select run_state from audit.pipeline_run
                        where dag_id = 'ingest_feedback__' || source_slug
                        order by started_at desc
                        limit 1
                    ), 'running') <> 'failed'
            )
            """,
            {"declared": declared},
        ).fetchone()
    assert row is not None
    return bool(row[0])


def has_unpublished_feedback(settings: Settings, versions: AnalysisVersions) -> bool:
    """True where the published marts lack a decided delivery, a reading by the models in force, or both."""
    with connect(settings, "announce_feedback") as connection:
        row = connection.execute(
            """
            select
                exists (
                    select from audit.ledger
                    where
                        action = any(%(actions)s)
                        and ledger_id > coalesce(
                            (select feedback_ledger_id from audit.publication where is_current), 0
                        )
                )
                -- Read or assigned since: by a run that was killed before it published.
                or exists (
                    select from analysis.sentiment
                    where scored_at > (select published_at from audit.publication where is_current)
                )
                or exists (
                    select from analysis.topic_reading
                    where scored_at > (select published_at from audit.publication where is_current)
                )
                or exists (
                    select from analysis.theme_assignment
                    where assigned_at > (select published_at from audit.publication where is_current)
                )
                or exists (
                    select from analysis.serious_reading
                    where read_at > (select published_at from audit.publication where is_current)
                )
                or exists (
                    select
                    from feedback.comment
                    inner join analysis.text_language using (text_sha256)
                    left join analysis.serious_reading as reading
                        on comment.text_sha256 = reading.text_sha256 and reading.detector_version = %(serious)s
                    where
                        comment.comment_state = 'text'
                        and coalesce(text_language.language_code = any(%(serious_languages)s), true)
                        and reading.text_sha256 is null
                )
                or exists (
                    select
                    from feedback.comment
                    inner join analysis.text_language using (text_sha256)
                    left join analysis.sentiment
                        on
                            comment.text_sha256 = sentiment.text_sha256
                            and comment.question_intent = sentiment.question_intent
                            and sentiment.sentiment_model_version = %(sentiment)s
                    where
                        comment.comment_state = 'text'
                        and text_language.language_code = any(%(languages)s)
                        and sentiment.reading_rules_version is distinct from %(reading_rules)s
                )
                -- By a topic model too: a taxonomy may have been declared since.
                or exists (
                    select
                    from feedback.comment
                    inner join analysis.text_language using (text_sha256)
                    cross join unnest(%(topics)s::text[]) as model (version)
                    left join analysis.topic_reading
                        on
                            comment.text_sha256 = topic_reading.text_sha256
                            and comment.question_intent = topic_reading.question_intent
                            and model.version = topic_reading.topic_model_version
                    where
                        comment.comment_state = 'text'
                        and text_language.language_code = any(%(languages)s)
                        and topic_reading.text_sha256 is null
                )
            """,
            {
                "actions": list(CHANGES_OF_FEEDBACK),
                "sentiment": versions.sentiment,
                "reading_rules": READING_RULES,
                "topics": versions.topic_models,
                "languages": list(versions.languages),
                "serious": versions.serious,
                "serious_languages": list(versions.serious_languages),
            },
        ).fetchone()
    assert row is not None
    return bool(row[0])
