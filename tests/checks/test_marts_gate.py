"""Every check of the marts gate finds what it is there for, and nothing in clean candidate marts."""

from __future__ import annotations

from pathlib import Path

import pytest

from patient_feedback.checks.outcomes import gate_verdict
from patient_feedback.checks.runner import GateSubject, run_gate
from patient_feedback.checks.suites import load_checkpoint

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
MARTS_CHECKS = sorted(
    check.id for _, suite in load_checkpoint(EXPECTATIONS, "marts") for check in suite.checks
)
SLOT = "marts_green"
TOP = sum(f"r{number}" < "r5" and number not in (7, 100) for number in range(1, 101))
"""Encounters with 9, 9 and 9."""

CLEAN = f"""
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, delivery_state
) values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted');
insert into feedback.response (
    response_id, source_slug, source_record_ref, record_version, is_withdrawn, organisation_slug,
    service_slug, submitted_on, submitted_on_basis, received_at, delivery_id
) select 'r' || number, 's', 'r' || number, 1, number = 100, 'north', 'maternity',
    date '2024-03-05', 'declared', now(), 'd'
from generate_series(1, 100) as number;
insert into feedback.answer
select response_id, 'fft', '2020', 'overall_experience', 1, '1', 'answered', false, 'd', 1
from feedback.response;
insert into feedback.comment (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
    text_sha256, comment_text, redaction_version, delivery_id, record_number
) select 'c' || number, 'r' || number, 's', 'r' || number, 'why', 'open', 'text', 't' || number,
    'redacted words ' || number, '1', 'd', number
from generate_series(1, 99) as number;
insert into analysis.topic_reading values ('t1', 'open', 'topics+1', 'encoder+1', 1);
insert into analysis.topic_mention values ('t1', 'open', 'topics+1', 'staff', 0.7);
insert into analysis.theme values ('kindness', 'Kindness'), ('old_kindness', 'Old');
insert into analysis.theme values ('chatter', 'Chatter', 'retired');
update analysis.theme set theme_status = 'merged' where theme_slug = 'old_kindness';
insert into analysis.theme_set values
('set', '1', 'encoder+1', 's', 10, 3, 0.3, '{{}}', null, true, now()),
('older', '1', 'encoder+1', 's', 10, 3, 0.3, '{{}}', null, false, now());
create schema {SLOT};
set local search_path = {SLOT}, public;
create table fct_source_deliveries as
select delivery_id, source_slug, delivery_state, landed_at, 100 as received_count, 95 as accepted_count,
    2 as set_aside_count, 2 as duplicate_count, 1 as withdrawn_count
from landing.delivery;
create table fct_responses as select * from feedback.response where not is_withdrawn;
create table fct_comments as
select
    comment.*, response.organisation_slug, response.service_slug, response.submitted_on,
    'en' as language_code, 'analysed' as analysis_state, 'positive' as sentiment_label,
    0.5::real as sentiment_score, 'sentiment+1' as sentiment_model_version, 'kindness' as primary_theme_slug,
    'encoder+1' as embedding_model_version
from feedback.comment inner join feedback.response using (response_id);
create table fct_theme_mentions as
select comment_id, primary_theme_slug as theme_slug, 0.6::real as theme_confidence, 'set' as theme_set_id,
    sentiment_score
from fct_comments;
create table fct_topic_mentions as
select 'c1' as comment_id, 'staff' as topic_slug, 0.7::real as topic_confidence,
    'topics+1' as topic_model_version;
create table rpt_fft_monthly (
    month_start_on date, organisation_slug text, service_slug text, measure_slug text, numerator_count bigint,
    denominator_count bigint, response_count bigint, share float, wilson_low float, wilson_high float,
    cell_state text
);
insert into rpt_fft_monthly values
('2024-03-01', 'all', 'all', 'fft_positive_share', 99, 99, 99, 1, 0.96, 1, 'value'),
('2024-03-01', 'all', 'all', 'fft_negative_share', 0, 99, 99, 0, 0, 0.04, 'value'),
('2024-04-01', 'all', 'all', 'fft_positive_share', 0, 0, 0, null, null, null, 'not_applicable'),
('2024-03-01', 'north', 'ward', 'fft_positive_share', null, null, null, null, null, null, 'suppressed');
create table rpt_sentiment_by_service as table rpt_fft_monthly;
insert into audit.disclosure_attack (
    attack_id, run_id, marts_slot, cell_count, suppressed_cell_count, undecided_cell_count, recovered_count
) values ('safe', 'run', '{SLOT}', 4, 1, 0, 0), ('won', 'run', '{SLOT}', 4, 1, 0, 1), ('late', 'run', '{SLOT}', 4, 1, 1, 0),
('silent', 'run', '{SLOT}', 4, 1, 0, 1);
insert into audit.recovered_cell (
    attack_id, reports, family_slug, quantity, recovery, edition, period_kind, period_first_on, organisation_slug,
    service_slug, stratum_attribute, stratum
) values
('won', '{{rpt_fft_monthly}}', 'fft', 'responses', 'exact', 'this_edition', 'month', '2024-03-01', 'north', 'ward',
    'all', 'all'),
('silent', '{{rpt_theme_trends_monthly}}', 'comments', 'theme:kindness', 'absence', 'this_edition', 'month', '2024-03-01',
    'north', 'all', 'all', 'all');
create table disclosure_attack as select 'safe' as attack_id;
create table rpt_theme_trends_monthly as
select *, 'kindness' as theme_slug from rpt_fft_monthly;
insert into feedback.answer
select response_id, 'collaborate', '0-9', item_slug, value, value::text, 'answered', false, 'd', 1
from feedback.response
cross join (
    values ('understand_health_issues'), ('listen_to_what_matters'), ('include_what_matters')
) as items (item_slug)
cross join lateral (values (case when response_id < 'r5' then 9 else 8 end)) as given (value)
where response_id <> 'r7' or item_slug <> 'listen_to_what_matters';
create table fct_answers as select * from feedback.answer where response_id <> 'r100';
create table composites as
select 'both' as composite_slug, '1' as instrument_version, 'collaborate' as member_score_slug;
create table dim_measures as
select measure_slug, measure_version, score_slug, statistic, min_responses from (
    values
    ('collaborate_top_share', '0-9', 'collaborate', 'favourable_share', 25),
    ('collaborate_mean_score', '0-9', 'collaborate', 'mean', 25),
    ('both_top_share', '1', 'both', 'favourable_share', 20),
    ('nps_net_share', '0-10', 'nps', 'net_share', 20)
) as definitions (measure_slug, measure_version, score_slug, statistic, min_responses);
create table fct_scores as
select response_id, 'collaborate' as score_slug, '0-9' as instrument_version, 'scored' as score_state,
    'north' as organisation_slug, 'maternity' as service_slug, date '2024-03-05' as submitted_on
from feedback.response
where response_id not in ('r7', 'r100');
create table rpt_measures (
    measure_slug text, measure_version text, period_kind text, period_first_on date, period_last_on date,
    organisation_slug text, service_slug text, stratum_attribute text, stratum text, numerator_count bigint,
    denominator_count bigint, response_count bigint, measure_value numeric, unit text, interval_low numeric,
    interval_high numeric, cell_state text
);
insert into rpt_measures
select
    measure_slug, measure_version, period_kind, '2024-01-01'::date + months * interval '1 month', period_last_on,
    organisation_slug, service_slug, 'all', 'all', numerator_count, denominator_count, response_count,
    measure_value, unit, interval_low, interval_high, cell_state
from (
    values
    ('collaborate_top_share', '0-9', 'year', 0, '2024-12-31'::date, 'north', 'all', {TOP}, 98, 98,
        round({TOP} / 98.0, 6), 'share 0-1', 0.3, 0.6, 'value'),
    ('collaborate_mean_score', '0-9', 'month', 2, '2024-03-31', 'north', 'all', null, 98, 98, 8.5, 'score', 8.1, 8.7,
        'value'),
    ('collaborate_mean_score', '0-9', 'month', 3, '2024-04-30', 'north', 'all', null, 0, 0, null, 'score', null,
        null, 'not_applicable'),
    ('collaborate_mean_score', '0-9', 'year', 0, '2024-12-31', 'north', 'maternity', null, 98, 98, 8.4, 'score',
        8.1, 8.7, 'value'),
    ('both_top_share', '1', 'year', 0, '2024-12-31', 'north', 'all', 70, 140, 80, 0.52, 'share 0-1', 0.4, 0.6,
        'value'),
    ('nps_net_share', '0-10', 'year', 0, '2024-12-31', 'north', 'all', -12, 60, 60, -0.2, 'share -1 to 1', -0.4,
        0, 'value'),
    ('nps_net_share', '0-10', 'year', 0, '2024-12-31', 'north', 'ward', null, null, null, null, 'share -1 to 1',
        null, null, 'suppressed')
) as cells (
    measure_slug, measure_version, period_kind, months, period_last_on, organisation_slug, service_slug,
    numerator_count, denominator_count, response_count, measure_value, unit, interval_low, interval_high, cell_state
);
"""

# Defects of one slot that do not stand in one another's way: of columns, of rows, of lost deliveries, and
# those that are only reported.
DEFECTS = (
    {
        "FB-MRT-010": "alter table fct_responses drop column age_band",
        "FB-MRT-020": "alter table fct_answers rename column value_code to code",
        "FB-MRT-030": "alter table fct_comments drop column primary_theme_slug",
        "FB-MRT-040": "alter table fct_theme_mentions drop column sentiment_score",
        "FB-MRT-050": "alter table fct_topic_mentions drop column topic_model_version",
    },
    {
        "FB-MRT-001": "update fct_source_deliveries set accepted_count = 94",
        "FB-MRT-011": "delete from fct_responses where response_id = 'r1'",
        "FB-MRT-012": "insert into fct_responses select * from feedback.response where is_withdrawn",
        "FB-MRT-021": "update fct_answers set value_code = '2' where response_id = 'r1' and instrument_slug = 'fft'",
        "FB-MRT-031": "delete from fct_comments where comment_id = 'c1'",
        "FB-MRT-032": "update fct_comments set comment_text = 'unredacted words' where comment_id = 'c2'",
        "FB-MRT-033": "create view patient_experience.fct_comments as "
        "select comment_id from fct_comments cross join generate_series(1, 3)",
        "FB-MRT-035": "update fct_comments set sentiment_label = null where comment_id = 'c3'",
        "FB-MRT-041": "update fct_theme_mentions set theme_set_id = 'older' where comment_id = 'c4'",
        "FB-MRT-042": "update fct_theme_mentions set theme_confidence = 1.5 where comment_id = 'c5'",
        "FB-MRT-043": "update fct_theme_mentions set theme_slug = 'old_kindness' where comment_id = 'c6'",
        "FB-MRT-044": "update fct_theme_mentions set theme_slug = 'chatter' where comment_id = 'c7'",
        "FB-MRT-051": "update fct_topic_mentions set topic_slug = 'parking'",
        "FB-MRT-052": "update fct_topic_mentions set topic_confidence = -0.1",
        "FB-MRT-060": "update rpt_fft_monthly set cell_state = 'shown' where cell_state = 'suppressed'",
        "FB-MRT-061": "update rpt_sentiment_by_service set wilson_high = 0.9 where cell_state = 'suppressed'",
        "FB-MRT-062": "update rpt_theme_trends_monthly set response_count = 4 where share = 0",
        "FB-MRT-063": "update rpt_sentiment_by_service set wilson_low = null where share = 0",
        "FB-MRT-064": "update rpt_sentiment_by_service set share = 0.97 where share = 1",
        "FB-MRT-065": "update rpt_theme_trends_monthly set wilson_low = 0.1 where share = 0",
        "FB-MRT-070": "update rpt_fft_monthly set numerator_count = 98, share = 98 / 99.0 where share = 1",
        "FB-MRT-081": "update disclosure_attack set attack_id = 'won'",
        "FB-MRT-090": "update rpt_measures set cell_state = 'few' where measure_value = 8.4",
        "FB-MRT-091": "update rpt_measures set measure_value = 0 where service_slug = 'ward'",
        "FB-MRT-092": "update rpt_measures set response_count = 19 where measure_slug = 'both_top_share'",
        "FB-MRT-095": "update rpt_measures set interval_high = -0.3 where measure_value = -0.2",
        "FB-MRT-096": "update rpt_measures set denominator_count = 0, response_count = 0, "
        "measure_value = null, interval_low = null, interval_high = null, cell_state = 'not_applicable' "
        "where period_first_on = '2024-03-01'",
        "FB-MRT-097": "update rpt_measures set numerator_count = numerator_count - 1, "
        f"measure_value = {TOP - 1} / 98.0 where measure_slug = 'collaborate_top_share'",
    },
    {
        "FB-MRT-002": "delete from fct_source_deliveries",
        "FB-MRT-080": "delete from disclosure_attack",
        "FB-MRT-093": "update rpt_measures set numerator_count = 50 where measure_value = 8.4",
        "FB-MRT-094": "update rpt_measures set measure_value = 0.5 where measure_slug = 'collaborate_top_share'",
    },
    {
        "FB-MRT-003": "update fct_source_deliveries "
        "set delivery_state = 'landed', landed_at = now() - interval '2 days'",
        "FB-MRT-082": "update disclosure_attack set attack_id = 'silent'",
        "FB-MRT-034": "update fct_comments set analysis_state = 'pending' where comment_id = 'c1'",
    },
)
CHECKS_WITH_DEFECTS = sorted(check_id for defects in DEFECTS for check_id in defects)
REPORTED_ONLY = {"FB-MRT-003", "FB-MRT-034", "FB-MRT-082"}


def _run(settings):
    return run_gate(settings, "marts", GateSubject(SLOT, schema=SLOT), "run")


@pytest.fixture(scope="module")
def marts(shared_warehouse, execute):
    execute(shared_warehouse, CLEAN)
    return shared_warehouse


@pytest.fixture(scope="module")
def clean_outcomes(marts):
    return {outcome.check_id: outcome for outcome in _run(marts)}


@pytest.fixture(scope="module")
def outcomes_of_defects(marts, clean_outcomes, execute):
    """Each group of defects planted in a copy of the clean slot, judged by the whole gate."""
    return [_judge(marts, execute, defects) for defects in DEFECTS]


def _judge(settings, execute, defects):
    tables = [
        name for (name,) in execute(settings, f"select tablename from pg_tables where schemaname = '{SLOT}'")
    ]
    execute(
        settings,
        f"alter schema {SLOT} rename to clean",
        f"create schema {SLOT}",
        *(f"create table {SLOT}.{table} as table clean.{table}" for table in tables),
        f"set local search_path = {SLOT}, public",
        *defects.values(),
    )
    try:
        return _run(settings)
    finally:
        execute(settings, f"drop schema {SLOT} cascade", f"alter schema clean rename to {SLOT}")


def test_every_marts_check_has_a_defect_that_it_must_find():
    assert CHECKS_WITH_DEFECTS == MARTS_CHECKS


@pytest.mark.parametrize("check_id", MARTS_CHECKS)
def test_clean_marts_pass_every_check(clean_outcomes, check_id):
    outcome = clean_outcomes[check_id]
    assert (outcome.outcome, outcome.unexpected_count or 0) == ("passed", 0)


@pytest.mark.parametrize("check_id", CHECKS_WITH_DEFECTS)
def test_planted_defect_is_found(outcomes_of_defects, check_id):
    [outcomes] = [
        outcomes
        for defects, outcomes in zip(DEFECTS, outcomes_of_defects, strict=True)
        if check_id in defects
    ]
    found = {one.check_id: one for one in outcomes}[check_id]
    assert found.outcome == "failed"
    if found.unexpected_rows_sql is not None:
        assert found.unexpected_count == 1
    is_stopping = check_id in {one.check_id for one in gate_verdict(outcomes).stopping}
    assert is_stopping == (check_id not in REPORTED_ONLY)


def test_defects_that_are_only_reported_leave_the_gate_open(outcomes_of_defects):
    assert [gate_verdict(outcomes).is_open for outcomes in outcomes_of_defects] == [False, False, False, True]


def test_first_publication_has_nothing_to_be_compared_with(clean_outcomes):
    assert clean_outcomes["FB-MRT-033"].outcome_note == "observed 99"


def test_mart_that_was_not_built_shuts_the_gate(marts, clean_outcomes, execute):
    execute(marts, f"alter table {SLOT}.fct_answers rename to fct_replies")
    try:
        outcomes = _run(marts)
    finally:
        execute(marts, f"alter table {SLOT}.fct_replies rename to fct_answers")
    verdict = gate_verdict(outcomes)
    assert not verdict.is_open
    assert {one.check_id for one in verdict.undecided} == {"FB-MRT-020", "FB-MRT-021"}


def test_month_that_the_friends_and_family_report_left_out_is_found(marts, clean_outcomes, execute):
    outcomes = _judge(marts, execute, {"FB-MRT-070": "delete from rpt_fft_monthly where share = 1"})
    found = {one.check_id: one for one in outcomes}["FB-MRT-070"]
    assert (found.outcome, found.unexpected_count) == ("failed", 1)


def test_attack_that_ran_out_of_time_shuts_the_gate(marts, clean_outcomes, execute):
    outcomes = _judge(marts, execute, {"FB-MRT-080": "update disclosure_attack set attack_id = 'late'"})
    assert {one.check_id for one in gate_verdict(outcomes).stopping} == {"FB-MRT-080"}


# Each published by the other kind of period, as scores.csv may say.
BY_MONTH = """
update rpt_measures set period_kind = 'month', period_first_on = '2024-03-01', period_last_on = '2024-03-31'
where measure_slug = 'collaborate_top_share';
"""
BY_YEAR = """
delete from rpt_fft_monthly;
insert into rpt_measures (
    measure_slug, measure_version, period_kind, period_first_on, period_last_on, organisation_slug, service_slug,
    stratum_attribute, stratum, numerator_count, denominator_count, cell_state
) values
('fft_positive_share', '2020', 'year', '2024-01-01', '2024-12-31', 'all', 'all', 'all', 'all', 99, 99, 'value'),
('fft_negative_share', '2020', 'year', '2024-01-01', '2024-12-31', 'all', 'all', 'all', 'all', 0, 99, 'value'),
('fft_positive_share', '2020', 'year', '2023-01-01', '2023-12-31', 'all', 'all', 'all', 'all', 0, 0, 'not_applicable');
"""


@pytest.mark.parametrize(
    ("check_id", "published", "harm", "unexpected_count"),
    [
        ("FB-MRT-097", BY_MONTH, "", 0),
        (
            "FB-MRT-097",
            BY_MONTH,
            "update rpt_measures set numerator_count = 1 where period_kind = 'month'",
            1,
        ),
        ("FB-MRT-097", BY_MONTH, "update rpt_measures set period_first_on = '2024-03-06'", 2),
        ("FB-MRT-097", "", "delete from rpt_measures where measure_slug = 'collaborate_top_share'", 1),
        ("FB-MRT-070", BY_YEAR, "", 0),
        ("FB-MRT-070", BY_YEAR, "update rpt_measures set numerator_count = 98 where numerator_count = 99", 1),
        ("FB-MRT-070", BY_YEAR, "delete from rpt_measures where numerator_count = 99", 1),
        ("FB-MRT-070", BY_YEAR, "delete from rpt_measures where period_first_on = '2024-01-01'", 2),
        ("FB-MRT-070", BY_YEAR, "delete from rpt_measures", 2),
    ],
)
def test_recount_goes_by_the_kind_of_period_that_is_published(
    marts, clean_outcomes, execute, check_id, published, harm, unexpected_count
):
    outcomes = _judge(marts, execute, {check_id: published + harm})
    found = {one.check_id: one for one in outcomes}[check_id]
    assert (found.outcome, found.unexpected_count or 0) == (
        "failed" if unexpected_count else "passed",
        unexpected_count,
    )


def test_recount_of_scores_knows_encounters_without_a_date(marts, clean_outcomes, execute):
    dates = "update feedback.response set submitted_on = {}"
    execute(marts, dates.format("null"))
    try:
        outcomes = [
            {one.check_id: one for one in _judge(marts, execute, {"FB-MRT-097": statement})}[
                "FB-MRT-097"
            ].outcome
            for statement in (
                "update rpt_measures set period_first_on = null, period_last_on = null",
                "update rpt_measures set period_first_on = null, period_last_on = null, numerator_count = 1",
            )
        ]
    finally:
        execute(marts, dates.format("date '2024-03-05'"))
    assert outcomes == ["passed", "failed"]
