"""Every check of the analysis gate finds what it is there for, and nothing in a clean analysis."""

from __future__ import annotations

from pathlib import Path

import pytest

from patient_feedback.checks.runner import GateSubject, run_gate
from patient_feedback.checks.suites import load_checkpoint

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
ANALYSIS_CHECKS = sorted(
    check.id for _, suite in load_checkpoint(EXPECTATIONS, "analysis") for check in suite.checks
)
VERSIONS = {
    "encoder_version": "encoder+1",
    "sentiment_model_version": "sentiment+1",
    "topic_model_version": "topics+1",
    "supported_languages": ["en"],
    "serious_detector_version": "serious+1",
    "serious_languages": ["en", "sv"],
}
TEXT_COUNT = 200

# A vector for each text that no other text has, of length 1.
EMBEDDING = """
    (select l2_normalize(array_agg(sin(number * place + place * place))::real[]::halfvec)
    from generate_series(1, 8) as place)
"""

CLEAN = f"""
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, delivery_state
) values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted');
insert into feedback.response (
    response_id, source_slug, source_record_ref, record_version, submitted_on_basis, received_at, delivery_id
) select 'r' || number, 's', 'r' || number, 1, 'declared', now(), 'd'
from generate_series(1, {TEXT_COUNT}) as number;
insert into feedback.comment (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
    text_sha256, comment_text, redaction_version, delivery_id, record_number
) select 'c' || number, 'r' || number, 's', 'r' || number, 'why', 'open', 'text', 't' || number,
    '[PERSON] was kind on ward ' || number || ', call 111, waited 45 minutes', '1', 'd', number
from generate_series(1, {TEXT_COUNT}) as number;
insert into restricted.comment_original select comment_id, 'original' from feedback.comment;
insert into feedback.comment
select 'blank', 'r1', 's', 'r1', 'more', 'open', 'blank', 'empty', '', 0, '1', null, 'd', 1, now();
insert into analysis.text_language
select 't' || number, 'en', 0.9, 'detected', '1', now() from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.embedding
select 't' || number, 'encoder+1', {EMBEDDING}, now() from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.sentiment
select 't' || number, 'open', 'sentiment+1', 'encoder+1',
    (array['negative', 'neutral', 'positive'])[1 + mod(number, 3)], mod(number, 3) - 1, 0.8, now()
from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.text_segment
select 't' || number, 'encoder+1', place, place * 5, place * 5 + 5, {EMBEDDING}
from generate_series(40, 41) as number cross join generate_series(0, 1) as place;
insert into analysis.segment_sentiment
select text_sha256, 'open', 'sentiment+1', segment_index, 'positive', 0.5, 0.8 from analysis.text_segment;
insert into analysis.topic_reading
select 't' || number, 'open', 'topics+1', 'encoder+1', mod(number, 2), now()
from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.topic_mention
select text_sha256, question_intent, topic_model_version, 'staff', 0.7 from analysis.topic_reading
where topic_count = 1;
insert into analysis.serious_reading (text_sha256, detector_version, reading_basis, category_count)
select 't' || number, 'serious+1', 'phrases_and_nearness', case when mod(number, 20) = 0 then 1 else 0 end
from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.serious_mention
select text_sha256, detector_version, 'harm', 'nearness' from analysis.serious_reading where category_count = 1;
insert into analysis.theme select 'theme_' || number, 'A theme' from generate_series(1, 4) as number;
insert into analysis.theme_set
values ('set', '1', 'encoder+1', 's', 10, 3, 0.3, '{{}}', null, true, now());
insert into analysis.theme_set_member
select 'set', 'theme_' || number, '[1,0]', array['kind'], array['t1'], 3, null, null
from generate_series(1, 3) as number;
insert into analysis.theme (theme_slug, theme_label, theme_level, parent_theme_slug)
select 'subtheme_' || number, 'A subtheme', 'subtheme', 'theme_' || number from generate_series(1, 2) as number;
insert into analysis.theme_set_member (
    theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count, theme_level,
    parent_theme_slug
) select 'set', theme_slug, '[1,0]', array['kind'], array['t1'], 3, theme_level, parent_theme_slug
from analysis.theme where theme_level = 'subtheme';
insert into analysis.theme_assignment
select 't' || number, 'set', case when mod(number, 4) > 0 then 'theme_' || mod(number, 4) end, 0.5, now(),
    case when mod(number, 4) = 1 then 'subtheme_1' end
from generate_series(1, {TEXT_COUNT}) as number;
insert into analysis.theme_mention
select text_sha256, theme_set_id, theme_slug, subtheme_slug, theme_confidence
from analysis.theme_assignment where theme_slug is not null;
insert into analysis.theme_mention
select text_sha256, theme_set_id, 'theme_2', 'subtheme_2', 0.4, array[1] from analysis.theme_assignment
where theme_slug = 'theme_1';
insert into analysis.theme_drift (
    run_id, theme_set_id, assigned_count, new_text_count, population_growth_share, is_refit_proposed
) values ('run', 'set', {TEXT_COUNT}, 0, 0, false);
"""


def _says(number: int, text: str) -> str:
    return f"update feedback.comment set comment_text = '{text}' where comment_id = 'c{number}'"


DEFECTIVE_TEXTS = {
    "FB-ANA-001": (_says(1, "write to jo.bloggs+nhs@mail.example.org please"), 1),
    "FB-ANA-002": (
        # 943 476 5919 and 9434765919 have a valid check digit, the third has not.
        ";".join(
            (_says(2, "my number is 943 476 5919"), _says(3, "9434765919"), _says(4, "order 9434765918"))
        ),
        2,
    ),
    "FB-ANA-003": (_says(5, "jag heter så, 19811228-9874") + ";" + _says(6, "811228-9874"), 2),
    "FB-ANA-004": (_says(7, "ring me on 07700 900123"), 1),
    "FB-ANA-005": ("delete from restricted.comment_original where comment_id = 'c8'", 1),
    "FB-ANA-010": ("delete from analysis.text_language where text_sha256 = 't9'", 1),
    "FB-ANA-011": (
        "update analysis.text_language set language_basis = 'undetermined' where text_sha256 = 't10'",
        1,
    ),
    # With those of FB-ANA-073 and FB-ANA-074.
    "FB-ANA-013": ("update analysis.text_language set language_code = 'fi' where text_sha256 = 't11'", 3),
    "FB-ANA-014": ("update analysis.text_language set language_confidence = 87 where text_sha256 = 't12'", 1),
    "FB-ANA-020": ("delete from analysis.embedding where text_sha256 = 't13'", 1),
    "FB-ANA-021": ("update analysis.embedding set embedding = '[1,0,0]' where text_sha256 = 't14'", 1),
    "FB-ANA-022": (
        "update analysis.embedding set embedding = '[0,0,0,0,0,0,0,0]' where text_sha256 = 't15'",
        1,
    ),
    "FB-ANA-030": ("delete from analysis.sentiment where text_sha256 = 't16'", 1),
    "FB-ANA-031": ("update analysis.sentiment set encoder_version = 'old' where text_sha256 = 't17'", 1),
    "FB-ANA-033": (
        "update analysis.sentiment set sentiment_label = 'very_negative', sentiment_score = 0.4 "
        "where text_sha256 = 't18'",
        1,
    ),
    "FB-ANA-035": (
        "delete from analysis.segment_sentiment where text_sha256 = 't41' and segment_index = 1",
        1,
    ),
    "FB-ANA-040": ("delete from analysis.topic_reading where text_sha256 = 't20'", 1),
    "FB-ANA-041": ("update analysis.topic_reading set encoder_version = 'old' where text_sha256 = 't21'", 1),
    "FB-ANA-042": ("delete from analysis.topic_mention where text_sha256 = 't23'", 1),
    "FB-ANA-050": ("delete from analysis.theme_assignment where text_sha256 = 't24'", 1),
    "FB-ANA-051": (
        "update analysis.theme_assignment set theme_slug = 'theme_4' where text_sha256 = 't26';"
        "update analysis.theme_mention set theme_slug = 'theme_4' where text_sha256 = 't26'",
        1,
    ),
    "FB-ANA-054": (
        "update analysis.theme_assignment set subtheme_slug = 'subtheme_2' where text_sha256 = 't29'",
        1,
    ),
    "FB-ANA-070": ("delete from analysis.serious_reading where text_sha256 = 't45'", 1),
    "FB-ANA-071": ("delete from analysis.serious_mention where text_sha256 = 't60'", 1),
    # With FB-ANA-013's.
    "FB-ANA-073": ("update analysis.text_language set language_code = 'fi' where text_sha256 = 't46'", 2),
    "FB-ANA-074": (
        "update analysis.text_language set language_code = 'sv' where text_sha256 = 't47';"
        "update analysis.serious_reading set reading_basis = 'phrases' where text_sha256 = 't47'",
        1,
    ),
    "FB-ANA-075": (
        "update analysis.serious_reading set reading_basis = 'phrases' where text_sha256 = 't48'",
        1,
    ),
    "FB-ANA-060": (
        "delete from analysis.theme_mention where text_sha256 = 't33' and theme_slug = 'theme_1'",
        1,
    ),
    # One mention of a theme that the set lacks, with FB-ANA-051's, and one of another theme's subtheme.
    "FB-ANA-061": (
        "update analysis.theme_mention set subtheme_slug = 'subtheme_1' where text_sha256 = 't37' "
        "and theme_slug = 'theme_2'",
        2,
    ),
}

# Defects of one analysis that do not stand in one another's way, in the order in which they are planted.
DEFECTIVE_ANALYSES = (
    {
        "FB-ANA-012": "update analysis.text_language "
        "set language_code = null, language_basis = 'undetermined' "
        "where length(text_sha256) < 4 and text_sha256 > 't5'",
        "FB-ANA-023": "update analysis.embedding set embedding = '[1,0,0,0,0,0,0,0]'",
        "FB-ANA-034": "update analysis.sentiment set sentiment_label = 'positive', sentiment_score = 0.5",
        "FB-ANA-032": "alter table analysis.sentiment drop constraint sentiment_sentiment_score_check;"
        "update analysis.sentiment set sentiment_score = 5 where text_sha256 = 't130'",
        "FB-ANA-043": "update analysis.topic_reading set topic_count = 0; delete from analysis.topic_mention",
        "FB-ANA-072": "update analysis.serious_reading set category_count = 1",
        "FB-ANA-055": "update analysis.theme_drift set assigned_count = 1",
        "FB-ANA-056": "update analysis.theme_drift set is_refit_proposed = true",
        "FB-ANA-052": "update analysis.theme_assignment set theme_slug = null where text_sha256 > 't13'",
    },
    {"FB-ANA-053": "update analysis.theme_assignment set theme_slug = 'theme_1'"},
)


def _run(settings, **parameters):
    outcomes = run_gate(
        settings,
        "analysis",
        GateSubject("encoder+1", parameters={**VERSIONS, "theme_set_id": "set", **parameters}),
        "run",
    )
    return {outcome.check_id: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def clean_outcomes(shared_warehouse, execute):
    execute(shared_warehouse, CLEAN)
    return _run(shared_warehouse)


@pytest.fixture(scope="module")
def defective_outcomes(shared_warehouse, execute, clean_outcomes):
    execute(shared_warehouse, ";".join(statement for statement, _ in DEFECTIVE_TEXTS.values()))
    return _run(shared_warehouse)


def test_every_analysis_check_has_a_defect_that_it_must_find():
    of_shares = [check_id for defects in DEFECTIVE_ANALYSES for check_id in defects]
    assert sorted([*DEFECTIVE_TEXTS, *of_shares]) == ANALYSIS_CHECKS


@pytest.mark.parametrize("check_id", ANALYSIS_CHECKS)
def test_clean_analysis_passes_every_check(clean_outcomes, check_id):
    outcome = clean_outcomes[check_id]
    assert (outcome.outcome, outcome.unexpected_count or 0) == ("passed", 0)


@pytest.mark.parametrize("check_id", sorted(DEFECTIVE_TEXTS))
def test_planted_text_is_found_and_no_other(defective_outcomes, check_id):
    outcome = defective_outcomes[check_id]
    assert (outcome.outcome, outcome.unexpected_count) == ("failed", DEFECTIVE_TEXTS[check_id][1])


def test_planted_share_or_scale_is_found(warehouse, execute):
    execute(warehouse, CLEAN)
    found: set[str] = set()
    for defects in DEFECTIVE_ANALYSES:
        execute(warehouse, *defects.values())
        outcomes = _run(warehouse)
        found |= {check_id for check_id in defects if outcomes[check_id].outcome == "failed"}
    assert sorted(found) == sorted(check_id for defects in DEFECTIVE_ANALYSES for check_id in defects)


def test_no_identifier_or_comment_reaches_the_results(defective_outcomes, shared_warehouse, execute):
    [(trail,)] = execute(
        shared_warehouse, "select string_agg(to_jsonb(check_result)::text, ' ') from audit.check_result"
    )
    seen = trail + repr(defective_outcomes)
    for secret in ("bloggs", "943 476", "9434765919", "9874", "900123", "was kind"):
        assert secret not in seen


def test_theme_checks_are_left_out_until_a_set_is_given(shared_warehouse, clean_outcomes):
    outcomes = _run(shared_warehouse, theme_set_id=None)
    assert not {check_id for check_id in outcomes if "FB-ANA-050" <= check_id < "FB-ANA-070"}


def test_warehouse_without_comments_passes_the_gate(warehouse):
    outcomes = _run(warehouse)
    assert {outcome.outcome for outcome in outcomes.values()} == {"passed"}
