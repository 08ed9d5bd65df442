"""Scores that people publish by another period than the project comes with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tests.unit.marts.conftest import Marts

from patient_feedback.checks.runner import GateSubject, run_gate

RECOUNTS = ("FB-MRT-070", "FB-MRT-097")
TURNED = """
    update scores set published_period = 'month' where score_slug = 'collaborate' or score_slug like 'hcahps_nurse_%';
    update scores set published_period = 'year' where score_slug = 'fft';
    -- The others are on series that have no months then.
    delete from actions;
    insert into actions (action_slug, organisation_slug, service_slug, measure_slug, taken_on, is_example)
    values ('rounds', 'hospital', 'ward', 'hcahps_nurse_communication_top_box_share', '2025-04-07', false);
    -- Questionnaires of 2024 come back until March; of 2025 they come from January on.
    create temporary table returned as
    select
        'nurses ' || version || ' ' || months || ' ' || number as response_id, version, number,
        (date '2024-07-03' + months * interval '1 month')::date as submitted_on
    from (values ('2006', 0, 8), ('2025', 6, 11)) as versions (version, first, last)
    cross join lateral generate_series(first, last) as given (months)
    cross join generate_series(1, 30) as numbers (number);
    insert into feedback.response (
        response_id, source_slug, source_record_ref, record_version, is_withdrawn, organisation_slug, organisation_name,
        service_slug, service_name, submitted_on, submitted_on_basis, received_at, delivery_id
    )
    select response_id, 'survey', response_id, 1, false, 'hospital', 'Hospital', 'ward', 'Ward', submitted_on, 'declared',
        '2026-01-01', 'd1'
    from returned;
    insert into feedback.answer (
        response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
        is_value_set_aside, delivery_id, record_number
    )
    select response_id, 'hcahps', version, item_slug, code, code::text, 'answered', false, 'd1', 1
    from returned
    cross join unnest(array['nurse_respect', 'nurse_listen', 'nurse_explain']) as items (item_slug)
    cross join lateral (values (case when number % 3 > 0 or version = '2025' then 4 else 2 end)) as codes (code);
"""
WITHOUT_THEMES = """
    delete from rpt_theme_trends_monthly;
    insert into actions (action_slug, organisation_slug, service_slug, measure_slug, topic_slug, taken_on, is_example)
    select 'rounds', 'all', 'all', 'topic_share', min(topic_slug), '2021-06-10', false from int_topic_cells_published;
"""


@pytest.fixture(scope="module")
def turned(harmed: Callable[[str], Marts], run_dbt: Callable[..., Any]) -> tuple[Marts, dict[str, str]]:
    """CollaboRATE and nurses by month, the Friends and Family Test by year; and how each dbt test of them ended."""
    built = harmed(TURNED)
    outcome = run_dbt(
        built, "build", "--exclude-resource-type", "seed", "--exclude-resource-type", "unit_test"
    )
    assert outcome.exception is None
    return built, {result.node.name: str(result.status) for result in outcome.result.results}


def _recounts(built: Marts) -> dict[str, tuple[str, int]]:
    outcomes = run_gate(built.settings, "marts", GateSubject(built.slot, schema=built.slot), "run")
    return {
        one.check_id: (one.outcome, one.unexpected_count or 0) for one in outcomes if one.check_id in RECOUNTS
    }


def test_every_model_and_every_dbt_test_passes_by_another_period(
    turned: tuple[Marts, dict[str, str]],
) -> None:
    _, statuses = turned
    assert {name: status for name, status in statuses.items() if status not in ("success", "pass")} == {}


def test_scores_of_another_period_are_recounted(turned: tuple[Marts, dict[str, str]]) -> None:
    built, _ = turned
    assert built.rows(
        "select distinct score_slug, period_kind from rpt_measures join dim_measures using (measure_slug, measure_version) "
        "where measure_slug in ('collaborate_top_share', 'fft_positive_share') order by 1"
    ) == [("collaborate", "month"), ("fft", "year")]
    assert _recounts(built) == dict.fromkeys(RECOUNTS, ("passed", 0))
    with psycopg.connect(built.settings.dsn()) as connection:
        for measure, kind in (("collaborate_top_share", "month"), ("fft_positive_share", "year")):
            changed = connection.execute(
                f"update {built.slot}.rpt_measures set numerator_count = numerator_count + 1 where ctid = ("
                f"select min(ctid) from {built.slot}.rpt_measures where measure_slug = %s and period_kind = %s "
                "and cell_state = 'value' and service_slug = 'all' and stratum_attribute = 'all' "
                "and (organisation_slug = 'all') = (measure_slug = 'fft_positive_share'))",
                (measure, kind),
            )
            assert changed.rowcount == 1
    assert _recounts(built) == dict.fromkeys(RECOUNTS, ("failed", 1))


def test_months_of_two_versions_are_two_charts(turned: tuple[Marts, dict[str, str]]) -> None:
    built, _ = turned
    charts = built.rows(
        "select measure_version, min(month_start_on)::text, max(month_start_on)::text, count(*), "
        "count(distinct month_start_on), min(value), max(value), count(distinct segment_first_on), min(point_count) "
        "from rpt_measure_signals where measure_slug = 'hcahps_nurse_communication_top_box_share' "
        "and service_slug = 'ward' group by 1 order by 1"
    )
    assert [(*chart[:5], *map(float, chart[5:7]), *chart[7:]) for chart in charts] == [
        (
            "2006",
            "2024-07-01",
            "2025-03-01",
            9,
            9,
            pytest.approx(2 / 3, abs=1e-6),
            pytest.approx(2 / 3, abs=1e-6),
            1,
            9,
        ),
        ("2025", "2025-01-01", "2025-06-01", 6, 6, 1.0, 1.0, 1, 6),
    ]


def test_action_is_held_against_the_version_in_force(turned: tuple[Marts, dict[str, str]]) -> None:
    built, _ = turned
    assert built.rows(
        "select measure_version, before_month_count, before_denominator_count, after_month_count, "
        "after_denominator_count from rpt_action_effects where action_slug = 'rounds'"
    ) == [("2025", 3, 270, 2, 180)]


def test_effect_on_a_topic_needs_no_themes(
    harmed: Callable[[str], Marts], run_dbt: Callable[..., Any]
) -> None:
    built = harmed(WITHOUT_THEMES)
    changed = ("int_measure_series", "int_action_points", "rpt_action_effects")
    outcome = run_dbt(built, "build", "--select", *changed, "--exclude-resource-type", "unit_test")
    statuses = {result.node.name: str(result.status) for result in outcome.result.results}
    assert statuses["assert_action_effects_sum_published_months"] == "pass"
    effect = (
        "select before_denominator_count > 0 and after_denominator_count > 0 from rpt_action_effects "
        "where measure_slug = 'topic_share' and action_slug = 'rounds'"
    )
    assert built.rows(effect) == [(True,)]
    with psycopg.connect(built.settings.dsn()) as connection:
        connection.execute(
            f"update {built.slot}.rpt_action_effects set after_denominator_count = after_denominator_count + 1 "
            "where measure_slug = 'topic_share' and action_slug = 'rounds'"
        )
    outcome = run_dbt(built, "test", "--select", "assert_action_effects_sum_published_months")
    assert str(outcome.result.results[-1].status) == "fail"
