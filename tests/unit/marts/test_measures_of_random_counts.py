"""From random observations to rpt_measures, by the compiled models: what is shown is true, what is hidden is nowhere."""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MODELS = (
    "int_score_cells_summed",
    "int_score_cells_counted",
    "int_score_cells_suppressed",
    "int_side_cells_suppressed",
    "int_cells_suppressed",
    "rpt_measures",
)
MINIMUM = {"fft": 5, "collaborate": 25}
# By kind of answer: its value, whether it is favourable, whether it is unfavourable.
KINDS = {
    "fft": ((1, 1, 0), (5, 0, 1), (3, 0, 0)),
    "collaborate": ((9, 1, 0), (2, 0, 1), (7, 0, 1)),
}
VERSION = {"fft": "2020", "collaborate": "0-9"}
PERIOD = {"fft": "month", "collaborate": "year"}
MEASURES = {
    "fft_positive_share": ("fft", 1),
    "fft_negative_share": ("fft", 2),
    "collaborate_top_share": ("collaborate", 1),
    "collaborate_mean_score": ("collaborate", 0),
}
YEAR = datetime.date(2021, 1, 1)

counts = st.tuples(*[st.integers(0, 3) | st.integers(0, 40)] * 3)
services = st.lists(counts, min_size=1, max_size=4)
months = st.lists(st.lists(services, min_size=1, max_size=3), min_size=1, max_size=3)

OBSERVED = """
insert into chance.int_observations_gathered (
    response_id, score_slug, score_version, observation_count, value_sum, value_square_sum, favourable_sum,
    favourable_square_sum, unfavourable_sum, unfavourable_square_sum, product_sum, period_kind, period_first_on,
    organisation_slug, service_slug, age_band, sex, ethnic_group, deprivation_quintile, preferred_language, disability
)
select
    'r', %s, %s, 1, value, value ^ 2, favourable, favourable, unfavourable, unfavourable, 0, %s, %s::date, %s, %s,
    'adult', 'not_stated', 'not_stated', 'not_stated', 'not_stated', 'not_stated'
from (values (%s::numeric, %s::numeric, %s::numeric)) as given (value, favourable, unfavourable)
cross join generate_series(1, %s)
"""


@pytest.fixture(scope="module")
def models(marts: Any) -> dict[str, str]:
    """SQL of the models as dbt compiled it, reading one another in the schema of this test."""
    compiled = {}
    for model in MODELS:
        [node] = [one for one in marts.manifest["nodes"].values() if one["name"] == model]
        sql = node["compiled_code"]
        for name in (*MODELS, "int_observations_gathered"):
            sql = sql.replace(f'"{marts.settings.db_name}"."{marts.slot}"."{name}"', f"chance.{name}")
        compiled[model] = sql
    assert "chance.int_observations_gathered" in compiled["int_score_cells_summed"]
    assert "chance.int_cells_suppressed" in compiled["rpt_measures"]
    return compiled


def period_of(score: str, month: int) -> tuple[str, datetime.date]:
    """Return the period that a score of a month, from 0, is published in."""
    kind = PERIOD[score]
    return kind, YEAR.replace(month=month + 1) if kind == "month" else YEAR


def truth_of(given_months: list[Any]) -> dict[tuple[Any, ...], list[tuple[int, int, int, int]]]:
    """Return, by score, period and place, how often each kind of answer was given: (value, favourable, unfavourable, n)."""
    truth: dict[tuple[Any, ...], list[tuple[int, int, int, int]]] = defaultdict(list)
    for number, organisations in enumerate(given_months):
        for organisation, parts in enumerate(organisations):
            for service, answers in enumerate(parts):
                for score, kinds in KINDS.items():
                    for kind, count in zip(kinds, answers, strict=True):
                        for place in (
                            (f"o{organisation}", f"s{service}"),
                            (f"o{organisation}", "all"),
                            ("all", "all"),
                        ):
                            truth[(score, *period_of(score, number), *place)].append((*kind, count))
    return truth


def published_of(
    connection: psycopg.Connection, models: dict[str, str], given_months: list[Any]
) -> list[Any]:
    """Return the rows of rpt_measures that the models make of the observations; nothing stays in the database."""
    connection.execute("create schema chance")
    connection.execute(
        "create table chance.int_observations_gathered (like marts_blue.int_observations_gathered)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            OBSERVED,
            [
                (
                    score,
                    VERSION[score],
                    *period_of(score, number),
                    f"o{organisation}",
                    f"s{service}",
                    *kind,
                    count,
                )
                for number, organisations in enumerate(given_months)
                for organisation, parts in enumerate(organisations)
                for service, answers in enumerate(parts)
                for score, kinds in KINDS.items()
                for kind, count in zip(kinds, answers, strict=True)
            ],
        )
    for model, sql in models.items():
        connection.execute(f"create table chance.{model} as {sql}")
        connection.execute(f"analyze chance.{model}")
    rows = connection.execute(
        "select measure_slug, period_kind, period_first_on, organisation_slug, service_slug, numerator_count, "
        "denominator_count, response_count, measure_value, interval_low, interval_high, cell_state "
        "from chance.rpt_measures where stratum_attribute = 'all' and measure_slug = any(%s)",
        (list(MEASURES),),
    ).fetchall()
    connection.rollback()
    return rows


def test_shown_numbers_are_true_and_add_up_and_hidden_ones_are_nowhere(
    marts: Any, models: dict[str, str]
) -> None:
    seen: dict[str, int] = defaultdict(int)
    with psycopg.connect(marts.settings.dsn()) as connection:

        @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(months)
        def holds(given_months: list[Any]) -> None:
            truth = truth_of(given_months)
            rows = published_of(connection, models, given_months)
            cells = {row[:5]: row[5:] for row in rows}
            assert len(cells) == len(rows)
            for (measure, *place), (
                numerator,
                denominator,
                responses,
                value,
                low,
                high,
                state,
            ) in cells.items():
                score, column = MEASURES[measure]
                seen[state] += 1
                answers = truth.get((score, *place), [])
                n = sum(answer[3] for answer in answers)
                total = sum(answer[column] * answer[3] for answer in answers)
                if state == "suppressed":
                    assert {numerator, denominator, responses, value, low, high} == {None}
                    continue
                assert n == 0 or n >= MINIMUM[score]
                assert (denominator, responses, state) == (n, n, "value" if n else "not_applicable")
                if column:
                    assert numerator == total
                # The answers of hidden parts are in the mean of their whole, and never as 0.
                assert value is None if n == 0 else float(value) == pytest.approx(total / n, abs=1e-6)
            _assert_sums(cells)

        holds()
    assert min(seen[state] for state in ("value", "suppressed")) > 0


def _assert_sums(cells: dict[tuple[Any, ...], tuple[Any, ...]]) -> None:
    children: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for (measure, *period, organisation, service), cell in cells.items():
        if service != "all":
            children[(measure, *period, organisation, "all")].append(cell)
        elif organisation != "all":
            children[(measure, *period, "all", "all")].append(cell)
    for parent, parts in children.items():
        whole = cells[parent]
        if all(cell[-1] != "suppressed" for cell in (whole, *parts)):
            for column in (0, 1, 2):
                numbers = [part[column] for part in parts]
                assert whole[column] is None if None in numbers else whole[column] == sum(numbers), parent
