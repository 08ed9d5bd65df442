"""Marts that go on from an earlier build hold what marts built from nothing hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

ONE_MONTH = "an answer that changed its class, in a month alone"
CHANGES = {
    "feedback that came, was edited, withdrawn and taken back": """
        -- A response of the day after, one in a service nobody knew, one without a date; all with answers and comments.
        insert into feedback.response (
            response_id, source_slug, source_record_ref, record_version, respondent_id, organisation_slug, organisation_name,
            service_slug, service_name, submitted_on, submitted_on_basis, received_at, age_band, delivery_id
        )
        select
            'new' || number, 'survey', 'new ' || number, 1, null, 'trust_1', 'Trust 1',
            case number % 3 when 0 then 'service_new' else 'service_4' end, 'Service',
            case number % 4 when 0 then null when 1 then date '2021-02-03' else date '2022-01-04' end, 'declared',
            '2023-01-01', '45-54', 'd1'
        from generate_series(1, 40) as numbers (number);
        insert into feedback.answer (
            response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
            delivery_id, record_number
        )
        select 'new' || number, 'fft', '2020', 'overall_experience', 1 + number % 5, (1 + number % 5)::text, 'answered',
            'd1', 9000 + number
        from generate_series(1, 40) as numbers (number);
        insert into feedback.comment (
            comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
            text_sha256, comment_text, redaction_version, declared_language_code, delivery_id, record_number
        )
        select 'cnew' || number, 'new' || number, 'survey', 'new ' || number, 'good', 'what_was_good', 'text',
            't' || number * 9, 'Waiting again', '1', 'en', 'd1', 9000 + number
        from generate_series(1, 40) as numbers (number);
        -- An answer that changed its class, one that went, a service and a day that were corrected.
        update feedback.answer set value_number = 5, value_code = '5'
        where response_id in ('r00003', 'r00004') and instrument_slug = 'fft';
        delete from feedback.answer where response_id = 'r00005';
        update feedback.response set service_slug = 'service_2', submitted_on = '2021-11-30' where response_id = 'r00006';
        -- Withdrawn by the patient; forgotten with all it held; a comment that an edit left out, one that it blanked.
        update feedback.response set is_withdrawn = true where response_id in ('r00007', 'r00211');
        delete from feedback.response where response_id in ('r00008', 'r00009');
        delete from feedback.comment where comment_id = 'c00010a';
        update feedback.comment set comment_state = 'blank', comment_text = '' where comment_id = 'c00012b';
        insert into feedback.response_subject (
            response_id, source_slug, source_record_ref, subject_slug, subject_label, delivery_id, record_number
        ) values ('r00001', 'survey', 'ref 1 c', 'subject_9', 'Subject 9', 'd1', 1);
        -- The first of two questionnaires of a person: what the second shows is another change.
        update feedback.answer set value_number = 3, value_code = '3'
        where response_id = 'r00200' and instrument_slug in ('phq_9', 'gad_7');
    """,
    "readings that came and changed": """
        update analysis.sentiment set sentiment_label = 'very_positive', sentiment_score = 0.9
        where text_sha256 in ('t13', 't14') and sentiment_model_version = 'sentiment-2';
        update analysis.theme_assignment set theme_confidence = 0.9 where text_sha256 = 't20' and theme_set_id = 'set2';
        update analysis.theme_mention set theme_confidence = 0.9 where text_sha256 = 't20' and theme_set_id = 'set2';
        delete from analysis.theme_mention where text_sha256 = 't24' and segment_indexes = array[1];
        delete from analysis.topic_mention where text_sha256 = 't30';
        -- A reading that is done again, and is not done yet.
        delete from analysis.sentiment where text_sha256 = 't16' and sentiment_model_version = 'sentiment-2';
        -- The service that was new is given up again.
        delete from feedback.response where response_id like 'new%' and service_slug = 'service_new';
    """,
    ONE_MONTH: """
        update feedback.answer set value_number = 1, value_code = '1'
        where response_id = 'r00001' and instrument_slug = 'fft' and item_slug = 'overall_experience';
    """,
}
REPORTED = "select measure_slug, period_first_on, organisation_slug, service_slug, stratum, xmin::text from rpt_measures"
WHAT_CHANGED = (
    "int_responses_changed",
    "int_comments_changed",
    "int_periods_changed",
    "int_observations_left",
    "int_score_cells_changed",
)
"""What a build is to do anew: another list for each kind of build."""
WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@pytest.fixture(scope="module")
def tables(marts: Any) -> list[str]:
    found = marts.rows("select tablename from pg_tables where schemaname = current_schema() order by 1")
    return [name for (name,) in found if name not in WHAT_CHANGED]


def views_of(marts: Any) -> dict[str, str]:
    """Return the definition of each view of the slot, without the slot's name."""
    found = marts.rows("select viewname, definition from pg_views where schemaname = current_schema()")
    return {name: definition.replace(marts.slot, "slot") for name, definition in found}


def test_marts_that_go_on_hold_the_same_rows_as_marts_from_nothing(
    harmed: Callable[[str], Any], run_dbt: Callable[..., Any], tables: list[str]
) -> None:
    going_on = harmed("")
    data_tests = {
        node["name"] for node in going_on.manifest["nodes"].values() if node["resource_type"] == "test"
    }
    for number, (what, changes) in enumerate(CHANGES.items()):
        with psycopg.connect(going_on.settings.dsn()) as connection:
            row = connection.execute("select pg_current_snapshot()::text").fetchone()
            assert row is not None
            (seen,) = row
        with psycopg.connect(going_on.settings.dsn()) as connection:
            connection.execute(changes)
        before = dict(going_on.rows("select response_id, xmin::text from fct_responses"))
        reported = set(going_on.rows(REPORTED))
        outcome = run_dbt(
            going_on,
            "build",
            "--exclude-resource-type",
            "unit_test",
            "--selector",
            "going_on",
            changed_since=seen,
        )
        assert outcome.success, (what, outcome.exception)
        # Whatever is not built anew is tested all the same, views and seeds too.
        assert {
            one.node.name for one in outcome.result.results if one.node.resource_type == "test"
        } == data_tests
        from_nothing = replace(going_on, slot=f"marts_{number}")
        assert run_dbt(from_nothing, "build", *WITHOUT_TESTS).success, what
        for table in tables:
            # Of what is built anew, another build says other things.
            query = f"select (to_jsonb(built) - 'is_changed')::text from {table} as built order by 1"
            assert going_on.rows(query) == from_nothing.rows(query), (what, table)
        # Views that were left as they were say what views from nothing say.
        assert views_of(going_on) == views_of(from_nothing), what
        # Most rows are those of the build before: they were not even touched.
        after = dict(going_on.rows("select response_id, xmin::text from fct_responses"))
        assert sum(after[one] == before.get(one) for one in after) > len(after) / 2, what
        if what == ONE_MONTH:
            assert len(reported & set(going_on.rows(REPORTED))) > len(reported) / 2
