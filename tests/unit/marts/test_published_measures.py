"""What others published, under the measures of this warehouse; and the gate's own checks on marts that dbt built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from patient_feedback.checks.queries import bind, unexpected_rows_sql
from patient_feedback.checks.suites import load_checkpoint

HOSPITAL = "organisation_slug = 'n_010001' and period_first_on = '2022-01-01'"


def test_share_comes_from_the_published_counts_and_has_their_interval(marts: Any) -> None:
    [row] = marts.rows(
        "select measure_slug, measure_version, box, numerator_count, denominator_count, measure_value::float, "
        "published_value::float, interval_low::float, interval_high::float, response_count_state "
        "from rpt_published_measures "
        "where organisation_slug = 'trust_1' and published_measure_slug = 'fft_positive_percent'"
    )
    interval = binomtest(24, 27).proportion_ci(method="wilson")
    assert row[:5] == ("fft_positive_share", "2020", "favourable", 24, 27)
    assert row[5:9] == pytest.approx((24 / 27, 0.89, interval.low, interval.high), abs=2e-6)
    assert row[9] == "exact"


def test_share_with_a_withheld_count_stays_as_published_and_has_no_interval(marts: Any) -> None:
    assert marts.rows(
        "select numerator_count, denominator_count, measure_value::float, interval_low, cell_state "
        "from rpt_published_measures "
        "where organisation_slug = 'trust_1' and published_measure_slug = 'fft_negative_percent'"
    ) == [(None, None, 0.04, None, "value")]


def test_withheld_share_has_no_number_but_how_many_answered(marts: Any) -> None:
    assert marts.rows(
        "select cell_state, measure_value, published_value, numerator_count, denominator_count, interval_low, "
        "response_count, response_count_state from rpt_published_measures where organisation_slug = 'trust_9'"
    ) == [("suppressed", None, None, None, None, None, 3, "exact")]


def test_composite_stands_beside_the_mean_of_its_published_items(marts: Any) -> None:
    rows = marts.rows(
        "select box, measure_slug, measure_version, published_value::float, recomputed_value::float, "
        "recomputed_difference::float, recomputed_item_count, interval_low, is_adjusted "
        f"from rpt_published_measures where {HOSPITAL} and score_slug = 'hcahps_nurse_communication' "
        "and box <> 'linear_mean' order by box"
    )
    assert [row[:4] for row in rows] == [
        ("bottom", "hcahps_nurse_communication_bottom_box_share", "2006", 0.08),
        ("middle", "hcahps_nurse_communication_middle_box_share", "2006", 0.18),
        ("top", "hcahps_nurse_communication_top_box_share", "2006", 0.74),
    ]
    assert [row[4:] for row in rows] == [
        (None, None, None, None, True),  # one of its items was not published
        (pytest.approx(0.56 / 3, abs=1e-6), pytest.approx(0.18 - 0.56 / 3, abs=1e-6), 3, None, True),
        (pytest.approx(2.2 / 3, abs=1e-6), pytest.approx(0.74 - 2.2 / 3, abs=1e-6), 3, None, True),
    ]


def test_adjusted_score_is_never_taken_for_the_one_that_is_counted_here(marts: Any) -> None:
    assert marts.rows(
        "select published_measure_slug, measure_slug, score_slug, unit, measure_value::float, footnote_codes "
        f"from rpt_published_measures where {HOSPITAL} and unit <> 'share 0-1' order by 1"
    ) == [
        ("h_comp_1_linear_score", None, "hcahps_nurse_communication", "score", 91.0, None),
        ("h_star_rating", None, None, "stars", 3.0, "15"),
    ]


def test_missing_number_is_a_state_with_codes_and_never_a_zero(marts: Any) -> None:
    assert marts.rows(
        "select published_measure_slug, cell_state, figure_state, measure_value, response_count, response_count_state, "
        "response_band, footnote_codes from rpt_published_measures where organisation_slug = 'n_010005' order by 1"
    ) == [
        ("h_comp_1_a_p", "not_applicable", "not_available", None, None, "band", "FEWER THAN 50", "1 11"),
        ("h_comp_1_star_rating", "not_applicable", "not_applicable", None, None, "not_given", None, None),
    ]


def test_period_over_a_change_of_questionnaire_belongs_to_neither_version(marts: Any) -> None:
    assert marts.rows(
        "select measure_slug, measure_version, measure_value::float from rpt_published_measures "
        "where published_measure_slug = 'h_comp_2_a_p'"
    ) == [("hcahps_doctor_communication_top_box_share", None, 0.8)]


def test_measure_that_nobody_mapped_is_shown_under_its_publishers_name(marts: Any) -> None:
    assert marts.rows(
        "select measure_slug, box, measure_value::float, unit from rpt_published_measures "
        "where published_measure_slug = 'h_new_question'"
    ) == [(None, None, 0.12, "share 0-1")]


def test_every_published_figure_but_counts_is_listed(marts: Any) -> None:
    assert (
        marts.rows(
            "select figure_id from fct_published_figures where figure_unit <> 'count' "
            "except select figure_id from rpt_published_measures"
        )
        == []
    )


@pytest.mark.parametrize("suite_name", ["marts__rpt_measures", "marts__rpt_measures_recount"])
def test_built_measures_pass_the_gate(marts: Any, project_dir: Path, suite_name: str) -> None:
    [suite] = [
        suite
        for _, suite in load_checkpoint(project_dir / "expectations", "marts")
        if suite.name == suite_name
    ]
    batch = bind(suite.batch, {"schema": marts.slot})
    assert marts.rows(f"select count(*) > 0 from ({batch}) as batch") == [(True,)]
    for check in suite.checks:
        if check.rows_query:
            assert marts.rows(unexpected_rows_sql(check.rows_query, batch)) == [], check.id
