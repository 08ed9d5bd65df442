"""How often a chart cries wolf: the compiled macros over stable series, beside the rules written a second time."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from scipy.stats import binom
from xmr_rules import Signal, as_fractions, centre_and_range, signals_of

from patient_feedback.settings import Settings

SERIES_COUNT = 200
POINT_COUNT = 24
KINDS = {
    "nhs": ("outside_limits", "trend", "two_of_three", "shift"),
    "scottish": ("outside_limits", "shift", "trend", "two_of_three", "inner_third"),
}
KNOWN_RATES = {
    "nhs": {"outside_limits": 0.096, "trend": 0.0062, "two_of_three": 0.042, "shift": 0.084},
    "scottish": {
        "outside_limits": 0.096,
        "shift": 0.033,
        "trend": 0.045,
        "two_of_three": 0.046,
        "inner_third": 0.0034,
    },
}
"""Share of stable normal series of 24 points that show the signal at all, from 100,000 series (seed 1, numpy), with
limits estimated from the same, screened points. With limits known beforehand 0.063 would show a point outside (1 -
0.9973^24); estimated and screened ones are wrong now and then, and narrower. Trends ask for no limits: see the exact
rate below."""


def month_of(place: int) -> datetime.date:
    return datetime.date(2020 + place // 12, place % 12 + 1, 1)


def charted_signals(
    connection: psycopg.Connection, chart: str, rule: str, series: list[list[Any]]
) -> tuple[list[set[Signal]], list[tuple[Any, Any]]]:
    """Run the compiled macros over series of months; return signals and (centre, mean moving range) of each."""
    connection.execute(
        "create temporary table xmr_point (series_key text, point_on date, value numeric, version text) on commit drop"
    )
    with connection.cursor().copy("copy xmr_point from stdin") as copy:
        for number, values in enumerate(series):
            for place, value in enumerate(values):
                copy.write_row((str(number), month_of(place), value, "1"))
    connection.execute(f"create temporary table xmr_charted on commit drop as {chart}")
    signals: list[set[Signal]] = [set() for _ in series]
    places = {month_of(place): place for place in range(max(map(len, series)))}
    ways = {"up": 1, "down": -1, None: 0}
    for key, point_on, kind, direction in connection.execute(
        f"select series_key, point_on, signal_kind, signal_direction from ({rule}) as ruled"
    ):
        signals[int(key)].add((places[point_on], kind, ways[direction]))
    charts = connection.execute(
        "select distinct series_key::integer, centre, mean_moving_range from xmr_charted order by 1"
    ).fetchall()
    return signals, [(centre, mean_range) for _, centre, mean_range in charts]


@pytest.fixture(scope="session")
def xmr(
    seeded_warehouse: Settings, compiled: Callable[[str], str]
) -> Callable[..., tuple[list[set[Signal]], list[tuple[Any, Any]]]]:
    chart = compiled("xmr_chart('xmr_point', ['version'], 3, 12, true)")
    rules = {rule_set: compiled(f"xmr_signals('xmr_charted', '{rule_set}')") for rule_set in KINDS}

    def run(series: list[list[Any]], rule_set: str) -> tuple[list[set[Signal]], list[tuple[Any, Any]]]:
        with psycopg.connect(seeded_warehouse.dsn()) as connection:
            result = charted_signals(connection, chart, rules[rule_set], series)
            connection.rollback()
        return result

    return run


@pytest.fixture(scope="session")
def stable_series() -> list[list[float]]:
    draw = random.Random(20261123)
    return [[round(draw.gauss(0.7, 0.05), 6) for _ in range(POINT_COUNT)] for _ in range(SERIES_COUNT)]


@pytest.fixture(scope="session")
def hand_made_series() -> list[list[float]]:
    """Ties, points on the centre, no variation, jumps and near misses, which normal series never show."""
    draw = random.Random(7)
    rough = [[draw.choice((0, 0, 1, 2, 3, 9)) for _ in range(POINT_COUNT)] for _ in range(200)]
    drifting = [[place // 2 + draw.choice((0, 1, 2)) for place in range(POINT_COUNT)] for _ in range(50)]
    flat = [[draw.choice((49, 50, 50, 50, 51)) for _ in range(20)] + [draw.choice((45, 55, 90))] * 4] * 5
    return [[4.0] * POINT_COUNT, [0] * 23 + [5], *rough, *drifting, *flat]


@pytest.mark.parametrize("rule_set", KINDS)
def test_macros_find_point_by_point_what_the_rules_say(
    xmr: Callable[..., Any],
    stable_series: list[list[float]],
    hand_made_series: list[list[float]],
    rule_set: str,
) -> None:
    series = [*stable_series, *hand_made_series]
    found, charts = xmr(series, rule_set)
    expected = [signals_of(as_fractions(values), rule_set) for values in series]
    differing = [number for number in range(len(series)) if found[number] != expected[number]]
    assert differing == [], (series[differing[0]], found[differing[0]] ^ expected[differing[0]])
    assert {kind for signals in found for _, kind, _ in signals} == set(KINDS[rule_set])
    for values, (centre, mean_range) in zip(series, charts, strict=True):
        exact_centre, exact_range = centre_and_range(as_fractions(values))
        assert float(centre) == pytest.approx(float(exact_centre), abs=1e-12)
        assert float(mean_range) == pytest.approx(float(exact_range), abs=1e-12)


@pytest.mark.parametrize("rule_set", KINDS)
def test_stable_series_raise_no_more_false_alarms_than_the_rules_are_known_for(
    xmr: Callable[..., Any], stable_series: list[list[float]], rule_set: str
) -> None:
    found, _ = xmr(stable_series, rule_set)
    alarmed = Counter(kind for signals in found for kind in {kind for _, kind, _ in signals})
    limits = {
        kind: (binom.ppf(0.005, SERIES_COUNT, rate), binom.ppf(0.995, SERIES_COUNT, rate))
        for kind, rate in KNOWN_RATES[rule_set].items()
    }
    assert {
        kind: alarmed[kind] for kind, (low, high) in limits.items() if not low <= alarmed[kind] <= high
    } == {}
    print(rule_set, {kind: alarmed[kind] / SERIES_COUNT for kind in limits})


@pytest.mark.parametrize(("rule_set", "length"), [("nhs", 7), ("scottish", 6)])
def test_known_rate_of_trends_is_the_exact_one(rule_set: str, length: int) -> None:
    assert KNOWN_RATES[rule_set]["trend"] == pytest.approx(_exact_trend_rate(length), rel=0.03)


def _exact_trend_rate(length: int) -> float:
    """Return how often independent values of any distribution hold `length` that rise or fall without a break.

    Values are told apart by rank alone: each further point is equally likely to fall into every gap between the ranks
    of those before it, and a run goes on where it lies beyond the last point.
    """
    runs = {(0, 1, 1): 1.0}
    """Probability by rank of the last point, length of the rising and of the falling run; runs that last are left out."""
    for count in range(1, POINT_COUNT):
        following: Counter[tuple[int, int, int]] = Counter()
        for (rank, rising, falling), probability in runs.items():
            for new_rank in range(count + 1):
                is_rise = new_rank > rank
                state = (new_rank, rising + 1 if is_rise else 1, 1 if is_rise else falling + 1)
                if max(state[1:]) < length:
                    following[state] += probability / (count + 1)
        runs = dict(following)
    return 1 - sum(runs.values())


def test_rule_set_that_nobody_knows_is_refused(compiled: Callable[[str], str]) -> None:
    with pytest.raises(Exception, match="give 'nhs' or 'scottish'"):
        compiled("xmr_signals('xmr_charted', 'welsh')")
