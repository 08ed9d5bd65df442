"""The attack on built marts: what it reads, what it finds, and what it leaves in the audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.unit.marts.conftest import MODEL_VERSIONS, Marts

from patient_feedback.errors import GateError
from patient_feedback.orchestration.disclosure import attack_marts
from patient_feedback.orchestration.marts import check_marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun

RUN = TaskRun("build_marts", "run", "attack_marts")


def attacked(marts: Marts) -> TaskCounts:
    counts = TaskCounts()
    candidate = {"slot": marts.slot, "variables": json.dumps(MODEL_VERSIONS), "started_at": "-infinity"}
    attack_marts(marts.settings, candidate, RUN, counts)
    return counts


def test_built_marts_give_no_suppressed_number_away(harmed: Callable[[str], Marts]) -> None:
    marts = harmed("select 1")
    counts = attacked(marts)
    assert counts.row_count
    assert (counts.counts["recovered_count"], counts.counts["undecided_cell_count"]) == (0, 0)
    [attack] = marts.rows(
        "select run_id, marts_slot, suppressed_cell_count, recovered_count, earlier_publication_id "
        "from audit.disclosure_attack inner join disclosure_attack using (attack_id)"
    )
    assert attack == ("run", marts.slot, counts.row_count, 0, None)


SHOW_ONE = """
    with chosen as (
        select flags.tree_key, flags.organisation_slug, flags.part_kind, flags.part_slug, counted.period_first_on
        from int_score_cells_suppressed as flags
        inner join int_score_cells_counted as counted using (tree_key, organisation_slug, part_kind, part_slug)
        where is_below_minimum and score_slug = 'fft' and period_first_on is not null and part_kind = 'service'
        order by part_slug = 'all', period_first_on, organisation_slug, part_slug
        limit 1
    )
    update {table} as shown
    set
        cell_state = 'value', response_count = counted.response_count, denominator_count = counted.response_count,
        numerator_count = counted.favourable_sum
    from int_score_cells_counted as counted
    inner join chosen using (tree_key, organisation_slug, part_kind, part_slug)
    where
        shown.period_kind = 'month'
        and shown.period_first_on = counted.period_first_on
        and shown.organisation_slug = counted.organisation_slug
        and shown.service_slug = counted.part_slug
        and shown.stratum_attribute = 'all'
        and shown.measure_slug = 'fft_positive_share'
"""


def test_number_that_one_measure_shows_and_another_hides_is_recorded_without_itself(
    harmed: Callable[[str], Marts],
) -> None:
    marts = harmed(SHOW_ONE.format(table="rpt_measures"))
    assert attacked(marts).counts["recovered_count"]
    recovered = marts.rows(
        "select reports, family_slug, quantity, recovery, edition, period_kind, stratum_attribute "
        "from audit.recovered_cell where quantity = 'responses'"
    )
    assert recovered[0] == (
        ["rpt_measures"],
        "fft 2020",
        "responses",
        "exact",
        "this_edition",
        "month",
        "all",
    )
    columns = marts.rows(
        "select column_name from information_schema.columns where table_schema = 'audit' "
        "and table_name = 'recovered_cell' and data_type in ('bigint', 'integer', 'numeric', 'double precision')"
    )
    assert columns == [("recovered_cell_id",)]
    [shown] = marts.rows(
        "select distinct cells.run_id, reports, score_slug, score_version, recovery, is_harmful, is_withstood, "
        "recovered_count > 0 from fct_recovered_cells as cells inner join fct_disclosure_attacks using (attack_id) "
        "where quantity = 'responses'"
    )
    assert shown == ("run", "rpt_measures", "fft", "2020", "exact", True, False, True)


PUBLISH_BEFORE = f"""
    drop schema if exists marts_green cascade;
    create schema marts_green;
    create table marts_green.rpt_measures as table rpt_measures;
    create table marts_green.dim_measures as table dim_measures;
    create table marts_green.composites as table composites;
    create table marts_green.int_model_versions_selected as table int_model_versions_selected;
    create table marts_green.int_cells_suppressed as table int_cells_suppressed;
    create table marts_green.int_comments_scored as table int_comments_scored;
    {SHOW_ONE.format(table="marts_green.rpt_measures")};
    insert into audit.publication (marts_slot, run_id, feedback_ledger_id, published_at)
    values ('marts_green', 'before', 1, {{published_at}})
"""


@pytest.mark.parametrize("published_at", ["now()", "'2000-01-01'"], ids=["ended", "running"])
def test_number_that_the_publication_before_showed_is_recorded(
    harmed: Callable[[str], Marts], published_at: str
) -> None:
    marts = harmed(PUBLISH_BEFORE.format(published_at=published_at))
    attacked(marts)
    assert marts.rows("select distinct edition from audit.recovered_cell") == [("earlier_edition",)]
    assert marts.rows("select earlier_publication_id is not null from audit.disclosure_attack") == [(True,)]


HIDDEN_SIDE = """
    select cells.*
    from int_cells_suppressed as cells
    inner join int_cells_suppressed as comments
        using (period_kind, period_first_on, organisation_slug, part_kind, part_slug)
    where
        cells.score_slug = 'side_barriers' and comments.score_slug = 'comment_sentiment'
        and cells.is_suppressed and not comments.is_suppressed and cells.response_count > 0
        and cells.stratum_attribute = 'all' and {condition}
    order by cells.organisation_slug, cells.service_slug, cells.period_first_on
    limit 1
"""
SHOW_SIDE = """
    with chosen as ({chosen})
    update {table} as shown
    set cell_state = 'value', {numbers}
    from chosen
    where
        shown.measure_slug = '{measure}'
        and shown.period_first_on = chosen.period_first_on
        and shown.organisation_slug = chosen.organisation_slug
        and shown.service_slug = chosen.service_slug
        and shown.stratum_attribute = 'all'
"""


def test_mention_count_of_a_side_that_is_hidden_is_recorded(harmed: Callable[[str], Marts]) -> None:
    marts = harmed(
        SHOW_SIDE.format(
            chosen=HIDDEN_SIDE.format(condition="cells.response_count < 5"),
            table="rpt_partnership",
            measure="barriers_mention_share",
            numbers="numerator_count = chosen.observation_count",
        )
    )
    assert attacked(marts).counts["recovered_count"] == 0, "what follows from the counts is built again"
    recovered = marts.rows("select distinct reports, family_slug from audit.recovered_cell")
    assert recovered == [(["rpt_measures", "rpt_partnership"], "side_barriers 1")]


def test_side_that_leaves_the_comments_of_too_few_others_is_recorded(harmed: Callable[[str], Marts]) -> None:
    marts = harmed(
        SHOW_SIDE.format(
            chosen=HIDDEN_SIDE.format(
                condition="cells.response_count >= 5 "
                "and comments.response_count - cells.response_count between 1 and 4"
            ),
            table="rpt_measures",
            measure="barriers_comment_sentiment",
            numbers="response_count = chosen.response_count, denominator_count = chosen.observation_count",
        )
    )
    attacked(marts)
    recovered = marts.rows("select family_slug, recovery from audit.recovered_cell where quantity = 'others'")
    assert ("side_barriers 1", "group_below_minimum") in recovered


def test_number_too_small_that_the_publication_before_showed_is_not_mended_and_stops(
    harmed: Callable[[str], Marts],
) -> None:
    marts = harmed(PUBLISH_BEFORE.format(published_at="now()"))
    assert attacked(marts).counts["override_count"] == 0
    candidate = {"slot": marts.slot, "started_at": "-infinity"}
    with pytest.raises(GateError, match="FB-MRT-081 did not pass"):
        check_marts(marts.settings, candidate, RUN, TaskCounts())
