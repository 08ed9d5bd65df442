"""What a reader of the published marts may rely on, on marts that dbt built in a real PostgreSQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from scipy.optimize import linprog

REPORTS = ("rpt_fft_monthly", "rpt_sentiment_by_service", "rpt_theme_trends_monthly")
PATIENT_EXPERIENCE = (
    *(
        "fct_comments",
        "fct_responses",
        "fct_answers",
        "fct_scores",
        "fct_outcome_changes",
        "fct_theme_mentions",
        "fct_topic_mentions",
    ),
    *(
        "dim_themes",
        "fct_theme_lineage",
        "dim_topics",
        "dim_organisations",
        "dim_services",
        "dim_sources",
        "dim_dates",
        "dim_measures",
    ),
    "bridge_topics_partnership",
    "bridge_response_subjects",
    "fct_published_figures",
    "rpt_published_measures",
    "rpt_measures",
    "fct_serious_comments",
    "fct_rating_conflicts",
    *REPORTS,
    "rpt_measure_signals",
    "rpt_response_rates",
    "rpt_action_effects",
)


def test_code_of_an_answer_is_no_outcome_of_a_person(marts: Any) -> None:
    asked_twice = (
        "select respondent_id from fct_scores where score_slug = 'fft' group by 1 having count(*) > 1"
    )
    assert marts.rows(asked_twice)
    assert marts.rows("select count(*) from fct_outcome_changes where score_slug = 'fft'") == [(0,)]


def test_every_model_and_every_dbt_test_passes(marts: Any) -> None:
    assert {name: status for name, status in marts.results.items() if status not in ("success", "pass")} == {}


def test_withdrawn_response_is_shown_nowhere_and_counted_with_its_delivery(marts: Any) -> None:
    withdrawn = {row[0] for row in marts.rows("select response_id from feedback.response where is_withdrawn")}
    assert withdrawn
    for table in ("fct_responses", "fct_comments", "fct_answers", "bridge_response_subjects"):
        listed = {row[0] for row in marts.rows(f"select response_id from {table}")}
        assert listed
        assert not listed & withdrawn, table
    assert marts.rows("select withdrawn_count from fct_source_deliveries where delivery_id = 'd1'") == [
        (len(withdrawn),)
    ]


def test_every_delivery_balances_and_a_file_nobody_could_open_received_nothing(marts: Any) -> None:
    assert marts.rows(
        "select delivery_id, received_count, accepted_count, set_aside_count, withdrawn_count, is_balanced "
        "from fct_source_deliveries order by delivery_id"
    ) == [("d1", 800, 792, 0, 8, True), ("d2", 2, 0, 2, 0, True), ("d3", 0, 0, 0, 0, True)]


def test_every_comment_is_listed_once_with_the_state_of_its_analysis(marts: Any) -> None:
    [(listed, distinct)] = marts.rows("select count(*), count(distinct comment_id) from fct_comments")
    [(kept,)] = marts.rows(
        "select count(*) from feedback.comment join feedback.response using (response_id) "
        "where not is_withdrawn"
    )
    assert listed == distinct == kept
    states = dict(marts.rows("select analysis_state, count(*) from fct_comments group by 1"))
    assert set(states) == {"analysed", "blank", "unsupported_language", "undetermined_language", "pending"}


def test_complaint_counts_once_in_totals_and_once_for_each_of_its_subjects(marts: Any) -> None:
    [(response_id,)] = marts.rows(
        "select response_id from feedback.response_subject join feedback.response using (response_id) "
        "where not is_withdrawn group by 1 having count(*) = 4 order by 1 limit 1"
    )
    assert marts.rows("select count(*) from fct_responses where response_id = %s", response_id) == [(1,)]
    assert marts.rows(
        "select subject_slug, subject_label, subject_count, subject_weight from bridge_response_subjects "
        "where response_id = %s order by 1",
        response_id,
    ) == [(f"subject_{place}", f"Subject {place}a", 3, pytest.approx(1 / 3)) for place in (1, 2, 3)]
    [(complaints, listed, weight)] = marts.rows(
        "select count(distinct response_id), count(*), sum(subject_weight) from bridge_response_subjects"
    )
    assert listed > complaints == pytest.approx(weight)
    assert marts.rows(
        "select count(*) from fct_responses where response_id in (select response_id from bridge_response_subjects)"
    ) == [(complaints,)]


def test_published_figures_stand_apart_from_what_is_counted_here(marts: Any) -> None:
    assert marts.rows(
        "select measure_slug, figure_state, figure_value, respondent_count from fct_published_figures "
        "where organisation_slug = 'trust_9' order by 1"
    ) == [
        ("fft_eligible_count", "not_available", None, None),
        ("fft_positive_percent", "suppressed", None, 3),
        ("fft_response_count", "published", 3.0, None),
    ]
    assert marts.rows(
        "select sum(figure_value) filter (where is_total), sum(figure_value) filter (where not is_total) "
        "from fct_published_figures where measure_slug = 'fft_response_count'"
    ) == [(30.0, 30.0)]
    assert marts.rows(
        "select organisation_name, response_count from dim_organisations where organisation_slug = 'trust_9'"
    ) == [("Published trust_9", 0)]
    [(name, response_count)] = marts.rows(
        "select organisation_name, response_count from dim_organisations where organisation_slug = 'trust_1'"
    )
    assert (name, response_count > 0) == ("Trust 1", True)


def test_blank_comment_is_listed_without_words_or_sentiment(marts: Any) -> None:
    assert marts.rows(
        "select distinct comment_text, analysis_state, sentiment_label, sentiment_score, "
        "sentiment_model_version, primary_theme_slug, language_code "
        "from fct_comments where comment_state = 'blank'"
    ) == [("", "blank", None, None, None, None, None)]


def test_readings_are_those_of_the_versions_the_run_names(marts: Any) -> None:
    assert marts.rows(
        "select distinct sentiment_model_version, embedding_model_version from fct_comments "
        "where analysis_state = 'analysed'"
    ) == [("sentiment-2", "encoder-2")]
    assert marts.rows("select distinct theme_set_id from fct_theme_mentions") == [("set2",)]


def test_mention_of_a_theme_has_the_sentiment_of_the_parts_that_speak_of_it(marts: Any) -> None:
    scores = marts.rows(
        "select is_primary, sentiment_basis, min(mentions.sentiment_score), max(mentions.sentiment_score), "
        "bool_and(mentions.sentiment_score = comments.sentiment_score) "
        "from fct_theme_mentions as mentions join fct_comments as comments using (comment_id) "
        "group by 1, 2 order by 1, 2"
    )
    assert scores == [
        (False, "segments", -0.5, -0.5, False),
        (True, "comment", -1.0, 1.0, True),
        (True, "segments", 1.0, 1.0, False),
    ]


def test_reports_of_readings_name_the_model(marts: Any) -> None:
    assert marts.rows("select distinct sentiment_model_version from rpt_sentiment_by_service") == [
        ("sentiment-2",)
    ]
    assert marts.rows("select distinct theme_set_id from rpt_theme_trends_monthly") == [("set2",)]


def test_merged_theme_stays_listed_and_counts_for_the_one_it_became(marts: Any) -> None:
    themes = dict(marts.rows("select theme_slug, comment_count from dim_themes where theme_level = 'theme'"))
    assert set(themes) == {"waiting", "kindness", "parking", "delays", "chatter"}
    assert themes["delays"] == themes["parking"] == 0
    assert themes["waiting"] > themes["kindness"] > 0
    [(keywords,)] = marts.rows("select theme_keywords from dim_themes where theme_slug = 'parking'")
    assert keywords == "car park, ticket"


def test_theme_that_people_retired_is_mentioned_nowhere_and_its_comments_are_unassigned(marts: Any) -> None:
    [(read,)] = marts.rows(
        "select count(*) from analysis.theme_assignment join analysis.theme_mention "
        "using (text_sha256, theme_set_id, theme_slug) where theme_slug = 'chatter'"
    )
    assert read, "the models read it"
    assert marts.rows("select theme_status, comment_count from dim_themes where theme_slug = 'chatter'") == [
        ("retired", 0)
    ]
    assert (
        marts.rows("select 1 from fct_theme_mentions where theme_slug is null or theme_slug = 'chatter'")
        == []
    )
    assert marts.rows(
        "select distinct theme_state from fct_comments join feedback.comment using (comment_id) "
        "join analysis.theme_assignment as assignment using (text_sha256) "
        "where assignment.theme_slug = 'chatter' and analysis_state = 'analysed'"
    ) == [("unassigned",)]


def test_subthemes_count_within_their_theme_and_merged_ones_for_what_they_became(marts: Any) -> None:
    subthemes = {
        slug: (parent, count)
        for slug, parent, count in marts.rows(
            "select theme_slug, parent_theme_slug, comment_count from dim_themes where theme_level = 'subtheme'"
        )
    }
    assert {parent for parent, _ in subthemes.values()} == {"waiting"}
    assert subthemes["queueing"][1] == 0 < subthemes["on_hold"][1] < subthemes["in_the_queue"][1]


def test_lineage_drift_and_decisions_are_shown(marts: Any) -> None:
    assert marts.rows(
        "select previous_theme_slug, shared_member_share from fct_theme_lineage where relation = 'split'"
    ) == [("parking", pytest.approx(0.4))]
    assert marts.rows("select is_refit_proposed, refit_reasons from fct_theme_drift") == [
        (True, "population_grew")
    ]
    assert marts.rows(
        "select theme_slug, decision from fct_theme_decisions where is_undone or decision = 'approve' order by 1"
    ) == [("kindness", "rename"), ("waiting", "approve")]
    assert marts.rows(
        "select split_theme_count, new_theme_count, retired_theme_count from fct_theme_sets where is_current"
    ) == [(1, 3, 1)]


def test_worklist_of_serious_comments_shows_what_is_raised_or_was_decided_and_by_whom(marts: Any) -> None:
    listed = marts.rows(
        "select comment_id, category, basis, detector_version, is_still_raised, status, status_by, status_note "
        "from fct_serious_comments where comment_id in ('c00021a', 'c00022a', 'c00023b', 'c00024a') order by 1, 2"
    )
    assert listed == [
        ("c00021a", "discrimination", "nearness", "serious-2", True, "open", None, None),
        (
            *("c00021a", "harm", "wrong_medicine,nearness", "serious-2", True),
            *("closed", "Bo Matron", "ward told, dose corrected"),
        ),
        ("c00022a", "self_harm", "suicide", "serious-2", True, "open", None, None),
        # The new detector no longer reads it so, but a person has it in hand.
        ("c00023b", "safeguarding", "nearness", "serious-1", False, "acknowledged", "Ada Analyst", None),
    ]
    [(organisation, service, submitted_on)] = marts.rows(
        "select organisation_slug, service_slug, submitted_on from fct_responses where response_id = 'r00021'"
    )
    assert marts.rows(
        "select distinct organisation_slug, service_slug, submitted_on from fct_serious_comments "
        "where response_id = 'r00021'"
    ) == [(organisation, service, submitted_on)]
    assert marts.rows("select response_id from fct_serious_comments where response_id = 'r00097'") == []
    assert marts.rows("select 1 from fct_serious_comments where response_id = 'r00497'"), (
        "same text, not withdrawn"
    )


def test_item_9_above_zero_is_on_the_worklist_without_a_word(marts: Any) -> None:
    assert marts.rows(
        "select response_id, comment_id, category, status from fct_serious_comments where basis = 'phq_9_item_9'"
    ) == [("r00011", None, "self_harm", "open")]


def test_rating_conflicts_show_rating_reading_and_which_way_they_point(marts: Any) -> None:
    conflicts = marts.rows(
        "select distinct question_intent, rating_class, sentiment_label, direction from fct_rating_conflicts order by 2"
    )
    assert conflicts == [
        ("open", "very_good", "very_negative", "positive_rating_negative_text"),
        ("open", "very_poor", "positive", "negative_rating_positive_text"),
    ]
    [(listed, open_comments)] = marts.rows(
        "select (select count(*) from fct_rating_conflicts), count(*) from fct_comments where question_intent = 'open'"
    )
    assert 0 < listed < open_comments


def test_fft_report_equals_a_direct_count_and_undated_answers_have_their_own_month(marts: Any) -> None:
    published = {
        (month, measure): (numerator, denominator)
        for month, measure, numerator, denominator in marts.rows(
            "select month_start_on, measure_slug, numerator_count, denominator_count from rpt_fft_monthly "
            "where organisation_slug = 'all' and cell_state = 'value'"
        )
    }
    counted = marts.rows(
        "select date_trunc('month', submitted_on)::date, count(*) filter (where value_code in ('1', '2')), "
        "count(*) filter (where value_code in ('4', '5')), count(*) from feedback.answer "
        "join feedback.response using (response_id) "
        "where not is_withdrawn and value_code is not null and instrument_slug = 'fft' group by 1"
    )
    assert None in {month for month, *_ in counted}
    assert min(total for *_, total in counted) < 5, "a month that must be suppressed"
    assert published == {
        key: counts
        for month, positive, negative, total in counted
        if total >= 5
        for key, counts in (
            ((month, "fft_positive_share"), (positive, total)),
            ((month, "fft_negative_share"), (negative, total)),
        )
    }


@pytest.mark.parametrize("report", REPORTS)
def test_published_share_bears_its_wilson_interval(marts: Any, report: str) -> None:
    cells = marts.rows(
        f"select numerator_count, denominator_count, share, wilson_low, wilson_high from {report} "
        "where cell_state = 'value'"
    )
    assert cells
    for numerator, denominator, share, low, high in cells:
        # The bounds are the two shares p at which the observed one lies z standard errors away.
        observed, z = numerator / denominator, 1.959964
        roots = np.roots([1 + z**2 / denominator, -(2 * observed + z**2 / denominator), observed**2])
        assert float(share) == pytest.approx(observed, abs=1e-6)
        assert [float(low), float(high)] == pytest.approx(sorted(roots.real), abs=2e-6)


@pytest.mark.parametrize("report", REPORTS)
def test_suppressed_cell_holds_no_number_not_even_a_zero(marts: Any, report: str) -> None:
    states = dict(marts.rows(f"select cell_state, count(*) from {report} group by 1"))
    assert states["suppressed"]
    assert states["value"]
    numbers = "numerator_count, denominator_count, response_count, share, wilson_low, wilson_high"
    assert marts.rows(f"select distinct {numbers} from {report} where cell_state = 'suppressed'") == [
        (None,) * 6
    ]


def test_month_without_answers_is_a_zero_without_a_share(marts: Any) -> None:
    assert marts.rows(
        "select distinct numerator_count, denominator_count, share, wilson_low from rpt_fft_monthly "
        "where cell_state = 'not_applicable'"
    ) == [(0, 0, None, None)]


@pytest.mark.parametrize("report", ["rpt_fft_monthly", "rpt_sentiment_by_service"])
def test_no_hidden_number_follows_from_the_published_ones(marts: Any, report: str) -> None:
    """Bound every hidden count from below and above by all that the report says: the bounds must not meet."""
    months: dict[Any, dict[tuple[str, str], dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for month, organisation, service, measure, numerator, responses in marts.rows(
        "select month_start_on, organisation_slug, service_slug, measure_slug, numerator_count, "
        f"response_count from {report}"
    ):
        cell = months[month][organisation, service]
        cell["responses"] = responses
        cell["positive" if "positive" in measure else "negative"] = numerator
    hidden = 0
    for cells in months.values():
        for (organisation, service), quantity, low, high in _bounds(cells):
            hidden += 1
            parent = cells[organisation, "all"] if service != "all" else cells["all", "all"]
            is_unanimous = 0 in parent.values() or parent["responses"] in (
                parent["positive"],
                parent["negative"],
            )
            if quantity == "responses" or not is_unanimous:
                assert high - low >= 1, f"{quantity} of {organisation}, {service}: {low} to {high}"
    assert hidden > 100


def _bounds(cells: dict[tuple[str, str], dict[str, Any]]) -> list[tuple[tuple[str, str], str, float, float]]:
    """Return the least and the greatest value of each hidden number that agree with the shown ones."""
    quantities = ("responses", "positive", "negative")
    index = {key: number for number, key in enumerate((cell, q) for cell in cells for q in quantities)}
    equal: list[tuple[dict[int, float], float]] = []
    at_most: list[tuple[dict[int, float], float]] = []
    for cell, numbers in cells.items():
        organisation, service = cell
        for quantity in quantities:
            if numbers[quantity] is not None:
                equal.append(({index[cell, quantity]: 1}, numbers[quantity]))
            children = [
                child
                for child in cells
                if child != cell
                and (
                    (organisation == "all" and child[0] != "all" and child[1] == "all")
                    or (organisation != "all" and service == "all" and child[0] == organisation)
                )
            ]
            if children:
                terms: dict[int, float] = {index[child, quantity]: -1 for child in children}
                equal.append(({**terms, index[cell, quantity]: 1}, 0))
        if numbers["positive"] is None:
            # Nobody has more than two comments in the seeded feedback, and nobody more than one answer.
            positive_and_negative = {index[cell, "positive"]: 1.0, index[cell, "negative"]: 1.0}
            at_most.append(({**positive_and_negative, index[cell, "responses"]: -2}, 0))
    matrices = [_matrix(rows, len(index)) for rows in (equal, at_most)]
    found = []
    for cell, numbers in cells.items():
        for quantity in quantities:
            if numbers[quantity] is None:
                goal = np.zeros(len(index))
                goal[index[cell, quantity]] = 1
                ends = []
                for sign in (1, -1):
                    solved = linprog(
                        sign * goal,
                        A_eq=matrices[0][0],
                        b_eq=matrices[0][1],
                        A_ub=matrices[1][0],
                        b_ub=matrices[1][1],
                        bounds=(0, 1000),
                    )
                    assert solved.success, solved.message
                    ends.append(sign * solved.fun)
                found.append((cell, quantity, math.floor(ends[0] + 1e-6), math.ceil(ends[1] - 1e-6)))
    return found


def _matrix(rows: list[tuple[dict[int, float], float]], width: int) -> tuple[Any, Any]:
    if not rows:
        return None, None
    matrix = np.zeros((len(rows), width))
    for number, (terms, _) in enumerate(rows):
        for column, factor in terms.items():
            matrix[number, column] = factor
    return matrix, np.array([right for _, right in rows])


def test_changes_of_people_who_were_asked_twice_are_published_like_other_measures(marts: Any) -> None:
    """Scored here by hand: of 150 pairs those count that were not withdrawn and have a date."""
    counted = dict(
        marts.rows(
            "with scored as (select response_id, respondent_id, submitted_on, instrument_slug, "
            "sum(value_number) as score from feedback.answer join feedback.response using (response_id) "
            "where respondent_id is not null and not is_withdrawn and submitted_on is not null "
            "and instrument_slug in ('phq_9', 'gad_7') group by 1, 2, 3, 4), "
            "pairs as (select one.instrument_slug, one.score as first_score, other.score as last_score "
            "from scored as one join scored as other using (respondent_id, instrument_slug) "
            "where one.submitted_on < other.submitted_on and extract(year from other.submitted_on) = 2021) "
            "select instrument_slug || '_improvement_share', "
            "count(*) filter (where first_score - last_score >= 6)::text || ' of ' || count(*) "
            "from pairs group by instrument_slug"
        )
    )
    published = dict(
        marts.rows(
            "select measure_slug, numerator_count || ' of ' || denominator_count from rpt_measures "
            "where measure_slug in ('phq_9_improvement_share', 'gad_7_improvement_share') "
            "and organisation_slug = 'all' and period_kind = 'year' and period_first_on = '2021-01-01'"
        )
    )
    assert published == counted
    assert {measure.split(" of ")[0] for measure in counted.values()} != {"0"}
    states = dict(
        marts.rows(
            "select cell_state, count(*) from rpt_measures where measure_slug = 'talking_therapy_recovery_share' group by 1"
        )
    )
    assert states["suppressed"]
    assert states["value"]


def test_every_change_of_health_is_an_outcome_of_partnership(marts: Any) -> None:
    changes = (
        "select measure_slug from measures join scores using (score_slug) where scoring_rule = 'change' "
        "and measure_version = instrument_version"
    )
    assert marts.rows(f"select count(*) > 5 from ({changes}) as changes") == [(True,)]
    assert (
        marts.rows(
            f"{changes} except select measure_slug from partnership_measures where partnership_side = 'outcomes'"
        )
        == []
    )


def test_charts_hold_every_published_value_and_no_other(marts: Any) -> None:
    published = (
        "select measure_slug, organisation_slug, service_slug, null, period_first_on, measure_value "
        "from rpt_measures where cell_state = 'value' and period_kind = 'month' and stratum_attribute = 'all' "
        "and period_first_on is not null union all "
        "select measure_slug, organisation_slug, 'all', theme_slug, month_start_on, share "
        "from rpt_theme_trends_monthly where cell_state = 'value' and month_start_on is not null"
    )
    charted = (
        "select measure_slug, organisation_slug, service_slug, theme_slug, month_start_on, value "
        "from rpt_measure_signals where measure_slug <> 'topic_share'"
    )
    assert marts.rows(f"select count(*) > 100 from ({charted}) as points") == [(True,)]
    for one, other in ((charted, published), (published, charted)):
        assert marts.rows(f"{one} except all ({other})") == []


def test_topics_are_charted_in_shown_months_alone_and_counted_by_comment(marts: Any) -> None:
    shown = set(
        marts.rows(
            "select distinct organisation_slug, month_start_on from rpt_theme_trends_monthly "
            "where cell_state = 'value' and month_start_on is not null"
        )
    )
    points = marts.rows(
        "select organisation_slug, month_start_on, topic_slug, numerator_count from rpt_measure_signals "
        "where measure_slug = 'topic_share'"
    )
    assert {point[:2] for point in points} == shown
    counted = {
        key: count
        for *key_parts, count in marts.rows(
            "select coalesce(organisation_slug, 'not_stated'), date_trunc('month', submitted_on)::date, topic_slug, "
            "count(distinct comment_id) from fct_topic_mentions join fct_comments using (comment_id) group by 1, 2, 3"
        )
        if (key := tuple(key_parts))
    }
    named = [point for point in points if point[0] != "all"]
    assert named
    assert {point[:3]: point[3] for point in named} == {
        point[:3]: counted.get(point[:3], 0) for point in named
    }


def test_actions_are_compared_by_published_months_and_strange_ones_by_none(
    marts: Any, harmed: Callable[[str], Any], run_dbt: Callable[..., Any]
) -> None:
    assert marts.rows("select distinct is_example from actions") == [(True,)]
    assert marts.rows("select action_slug from rpt_action_effects") == [], (
        "nobody of the samples is known here"
    )
    [(taken_on, topic_slug)] = marts.rows(
        "select (array_agg(month_start_on order by month_start_on))[5], max(topic_slug) from "
        "(select distinct month_start_on, max(topic_slug) as topic_slug from rpt_measure_signals "
        "where measure_slug = 'topic_share' and organisation_slug = 'trust_1' group by 1) as months"
    )
    built = harmed(
        "insert into actions (action_slug, organisation_slug, service_slug, measure_slug, topic_slug, taken_on) "
        + " union all ".join(
            f"select 'act', '{organisation}', 'all', '{measure}', {topic}, date '{taken_on}' + 9"
            for organisation, measure, topic in (
                ("all", "fft_positive_share", "null"),
                ("trust_1", "mean_sentiment_score", "null"),
                ("trust_1", "topic_share", f"'{topic_slug}'"),
                ("nobody", "fft_positive_share", "null"),
            )
        )
    )
    assert run_dbt(built, "build", "--select", "int_action_points+").success
    effects = built.rows(
        "select measure_slug, organisation_slug, before_month_count, after_month_count, before_denominator_count, "
        "after_denominator_count, before_value, after_value, difference_low, difference_high, effect_class "
        "from rpt_action_effects order by 1"
    )
    assert [effect[:2] for effect in effects] == [
        ("fft_positive_share", "all"),
        ("mean_sentiment_score", "trust_1"),
        ("topic_share", "trust_1"),
    ]
    for measure, organisation, *found in effects:
        expected = built.rows(
            "select count(*) filter (where not later), count(*) filter (where later), "
            "sum(denominator_count) filter (where not later), sum(denominator_count) filter (where later), "
            "sum(denominator_count * value) filter (where not later) / sum(denominator_count) filter (where not later), "
            "sum(denominator_count * value) filter (where later) / sum(denominator_count) filter (where later) "
            "from (select *, month_start_on > %s as later from rpt_measure_signals) as points "
            "where measure_slug = %s and organisation_slug = %s and service_slug = 'all' and month_start_on <> %s "
            "and coalesce(topic_slug, %s) = %s and abs(month_start_on - %s) <= 366",
            *(taken_on, measure, organisation, taken_on, topic_slug, topic_slug, taken_on),
        )[0]
        assert [float(number) for number in found[:6]] == pytest.approx(
            [float(number) for number in expected], abs=2e-6
        ), measure
        assert found[6] < found[5] - found[4] < found[7], measure


def test_marts_built_again_in_the_other_slot_hold_the_same_rows(
    marts: Any, marts_of_the_other_slot: Any
) -> None:
    for table in PATIENT_EXPERIENCE:
        query = f"select {table}::text from {table} order by 1"
        assert marts.rows(query) == marts_of_the_other_slot.rows(query), table


def test_audit_trail_shows_what_happens_after_the_build(harmed: Callable[[str], Any]) -> None:
    after = harmed(
        "insert into audit.ledger (action, subject, actor, run_id) values ('publish', 'x', 'y', 'z')"
    )
    assert after.rows("select action, is_chain_intact from fct_ledger") == [("publish", True)]


EFFECT = (
    "insert into rpt_action_effects (action_slug, organisation_slug, service_slug, measure_slug, taken_on, "
    "before_month_count, before_left_out_count, after_month_count, after_left_out_count, is_sparse, caveats, "
    "measure_version, before_first_on, after_last_on, before_denominator_count, is_example, difference, effect_class, "
    "effect_basis) "
    "values ('{}', 'all', 'all', 'fft_positive_share', '2024-06-01', 1, 11, 1, 11, false, 'none', '2020', "
    "'2023-06-01', '2025-06-30', 1, false, 0, {});"
)
ATTACK = (
    "insert into audit.disclosure_attack (attack_id, run_id, marts_slot, attacked_at, cell_count, suppressed_cell_count, "
    "undecided_cell_count, recovered_count) values ('{0}', '{0}', 'marts_blue', '2020-01-01', 4, 1, {1}, {2})"
)
HARMS = {
    "assert_reports_suppress_the_same_cells": "update rpt_measures set cell_state = 'value' "
    "where ctid = (select max(ctid) from rpt_measures where cell_state = 'suppressed' "
    "and measure_slug = 'fft_positive_share' and period_kind = 'month')",
    "assert_comments_show_no_email_address": "update fct_comments set comment_text = 'jane.doe@example.org' "
    "where comment_id = (select min(comment_id) from fct_comments)",
    "assert_totals_equal_the_sum_of_their_services": "update int_score_cells_counted set favourable_sum = 7 "
    "where part_kind = 'service' and favourable_sum = 0",
    "assert_only_analysed_comments_have_readings": "update fct_comments set sentiment_label = 'neutral' "
    "where analysis_state = 'blank'",
    "assert_theme_mentions_match_primary_themes": "delete from fct_theme_mentions where comment_id = "
    "(select min(comment_id) from fct_theme_mentions)",
    "assert_no_suppressed_cell_can_be_subtracted": "update rpt_measures set response_count = 4 "
    "where cell_state = 'value' and organisation_slug = 'all'",
    "assert_scored_answers_have_a_value_or_a_class": "update fct_scores set score_state = 'scored' "
    "where ctid = (select min(ctid) from fct_scores where score_state = 'too_few_answers')",
    "assert_rows_of_seeds_are_listed_once": "insert into score_items select * from score_items "
    "where score_slug = 'phq_9' limit 1",
    "assert_seeds_name_what_exists": "update composites set member_score_slug = 'hcahps_nurse_lissen' "
    "where member_score_slug = 'hcahps_nurse_listen'",
    "assert_ranges_of_seeds_do_not_overlap": "update score_classes set score_below = 12 "
    "where score_slug = 'phq_9' and score_class = 'below_case'",
    "assert_recodes_cover_the_scale": "delete from item_recodes where item_slug = 'item_7' and value_low = 10",
    "cells_are_hidden_or_shown": "update int_cells_suppressed set is_suppressed = null "
    "where ctid = (select min(ctid) from int_cells_suppressed)",
    "scores_are_listed_once": "insert into fct_scores select * from fct_scores limit 1",
    "measures_are_listed_once": "insert into rpt_measures select * from rpt_measures "
    "where organisation_slug <> 'all' limit 1",
    "comments_are_listed_once": "insert into fct_comments select * from fct_comments where comment_id = "
    "(select max(comment_id) from fct_comments)",
    "assert_subthemes_lie_in_a_theme": "update dim_themes set parent_theme_slug = 'nowhere' "
    "where theme_slug = 'on_hold'",
    "assert_subthemes_hold_no_more_than_their_theme": "update dim_themes set comment_count = 1000000 "
    "where theme_slug = 'in_the_queue'",
    "assert_lineage_accounts_for_every_theme": "delete from fct_theme_lineage where theme_slug = 'kindness'",
    "assert_subject_weights_add_to_one": "delete from bridge_response_subjects where ctid = "
    "(select max(ctid) from bridge_response_subjects where subject_count = 3)",
    "responses_name_a_subject_once": "insert into bridge_response_subjects select * from bridge_response_subjects "
    "where subject_count = 1 limit 1",
    "figures_are_published_once": "insert into fct_published_figures select * from fct_published_figures limit 1",
    "figures_belong_to_a_listed_organisation": "update fct_published_figures set organisation_slug = 'nobody' "
    "where is_total",
    "figures_have_a_known_state": "update fct_published_figures set figure_state = 'zero' where is_total",
    "assert_only_published_figures_have_values": "update fct_published_figures set figure_value = 0 "
    "where figure_state = 'suppressed'",
    "published_measures_are_listed_once": "insert into rpt_published_measures select * from rpt_published_measures limit 1",
    "published_measures_have_a_known_state": "update rpt_published_measures set cell_state = 'zero' where is_total",
    "published_measures_are_defined_here": "update published_measures set measure_slug = 'nobody_knows' "
    "where published_measure_slug = 'h_comp_1_a_p'",
    "assert_published_measures_show_numbers_only_as_values": "update rpt_published_measures set measure_value = 0 "
    "where cell_state = 'suppressed'",
    "assert_published_shares_agree_with_their_counts": "update rpt_published_measures set numerator_count = 26 "
    "where numerator_count = 24",
    "assert_published_composites_agree_with_their_items": "update rpt_published_measures "
    "set recomputed_difference = 0.021 where recomputed_item_count = 3 and box = 'middle'",
    "assert_published_boxes_add_up": "update rpt_published_measures set published_value = 0.5 "
    "where published_measure_slug = 'h_nurse_listen_a_p'",
    "charted_points_are_listed_once": "insert into rpt_measure_signals select * from rpt_measure_signals "
    "where topic_slug is not null limit 1",
    "charted_measures_are_defined": "update rpt_measure_signals set measure_slug = 'nobody_knows' "
    "where ctid = (select min(ctid) from rpt_measure_signals where topic_slug is null)",
    "serious_entries_are_listed_once": "insert into fct_serious_comments select * from fct_serious_comments "
    "where comment_id = 'c00022a'",
    "serious_entries_lead_to_a_listed_comment": "update fct_serious_comments set comment_id = 'nowhere' "
    "where comment_id = 'c00421a'",
    "serious_entries_belong_to_a_listed_response": "update fct_serious_comments set response_id = 'nowhere' "
    "where comment_id = 'c00422a'",
    "serious_entries_have_a_known_category": "update fct_serious_comments set category = 'other' "
    "where comment_id = 'c00021a'",
    "serious_entries_have_a_known_status": "update fct_serious_comments set status = 'done' "
    "where comment_id = 'c00022a'",
    "assert_serious_statuses_follow_decisions": "update fct_serious_comments set status_by = null "
    "where comment_id = 'c00023b'",
    "assert_item_9_answers_are_on_the_worklist": "delete from fct_serious_comments where basis = 'phq_9_item_9'",
    "rating_conflicts_are_listed_once": "insert into fct_rating_conflicts select * from fct_rating_conflicts "
    "where direction = 'negative_rating_positive_text' limit 1",
    "rating_conflicts_point_one_way": "update fct_rating_conflicts set direction = 'both' "
    "where rating_class = 'very_poor'",
    "assert_rating_conflicts_are_those_of_comments": "delete from fct_rating_conflicts where rating_class = 'very_good'",
    "outcome_changes_are_listed_once": "insert into fct_outcome_changes select * from fct_outcome_changes limit 1",
    "assert_outcome_changes_lie_in_their_window": "update fct_outcome_changes set followup_response_id = "
    "baseline_response_id where score_slug = 'gad_7'",
    "assert_only_cases_recover": "update fct_outcome_changes set is_case_at_baseline = false where is_recovered",
    "response_rates_are_listed_once": "insert into rpt_response_rates select rates.* from (select 'fft_response_rate', "
    "'2020', 'month', date '2021-01-01', date '2021-01-31', 'trust_1', 'all', 'all', 'all', 10, 12, 1.0::numeric, "
    "null::numeric, null::numeric, null::numeric, 'value') as rates cross join generate_series(1, 2)",
    "assert_no_more_responses_than_patients": "insert into rpt_response_rates select 'fft_response_rate', '2020', "
    "'month', date '2021-02-01', date '2021-02-28', 'trust_1', 'all', 'all', 'all', 12, 10, 1.0::numeric, "
    "null::numeric, null::numeric, null::numeric, 'not_applicable'",
    "assert_eligible_patients_were_heard_before": "insert into eligible_patients values "
    "('trust_1', 'service_11', '2021-01-01', 'all', 'all', 50, 'list')",
    "action_effects_are_listed_once": EFFECT.format("twice", "'no_clear_difference', null") * 2,
    "assert_actions_name_known_series": "insert into actions select 'misspelt', 'nobody', 'all', measure_slug, null, "
    "null, taken_on, null, null, null, false from actions where topic_slug is null limit 1",
    "assert_effects_have_a_basis": EFFECT.format("groundless", "'improvement', 'interval'"),
    "assert_action_effects_sum_published_months": EFFECT.format("hidden", "'too_little_data', null"),
    "assert_attacks_account_for_what_they_recovered": ATTACK.format("unlisted", 0, 1),
    "assert_published_marts_withstood_their_attack": ATTACK.format("undecided", 1, 0)
    + "; insert into audit.publication "
    "(marts_slot, run_id, feedback_ledger_id, is_current) values ('marts_blue', 'undecided', 1, false)",
    "assert_ledger_is_unbroken": "insert into audit.ledger (action, subject, actor) values ('a', 'b', 'c'); "
    "alter table audit.ledger disable trigger user; update audit.ledger set actor = 'z'",
}
"""By test of dbt, what it must notice."""


def test_every_harm_to_the_marts_fails_its_check(
    harmed: Callable[[str], Any], run_dbt: Callable[..., Any]
) -> None:
    outcome = run_dbt(harmed("; ".join(HARMS.values())), "test", "--select", *HARMS)
    statuses = {result.node.name: str(result.status) for result in outcome.result.results}
    assert {check: statuses[check] for check in HARMS} == dict.fromkeys(HARMS, "fail")


def test_action_on_a_score_that_has_no_months_is_reported(
    harmed: Callable[[str], Any], run_dbt: Callable[..., Any]
) -> None:
    built = harmed(
        "insert into actions (action_slug, organisation_slug, service_slug, measure_slug, taken_on, is_example) "
        "values ('asked', 'all', 'all', 'collaborate_mean_score', '2021-06-01', false)"
    )
    outcome = run_dbt(built, "test", "--select", "assert_actions_name_known_series")
    assert str(outcome.result.results[-1].status) == "fail"


def test_response_to_two_versions_of_a_questionnaire_stops_no_publication(
    harmed: Callable[[str], Any], run_dbt: Callable[..., Any]
) -> None:
    built = harmed(
        "create temporary table twin as select * from fct_scores where score_slug = 'collaborate' limit 1; "
        "update twin set instrument_version = 'another'; insert into fct_scores select * from twin"
    )
    assert run_dbt(built, "test", "--select", "scores_are_listed_once").success


def test_row_that_breaks_a_constraint_cannot_bring_words_into_a_message(marts: Any) -> None:
    """PostgreSQL quotes the whole row that breaks a constraint: tables with words have none."""
    tables = ("fct_comments", "fct_responses", "int_comments_scored")
    with psycopg.connect(marts.settings.dsn()) as connection:
        assert (
            connection.execute(
                "select relname, attname from pg_attribute join pg_class on attrelid = pg_class.oid "
                "where relname = any(%s) and attnum > 0 and attnotnull",
                (list(tables),),
            ).fetchall()
            == []
        )
