"""Counts are read back from rounded shares and intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_feedback.privacy.disclosure.shown_numbers import (
    range_of_count,
    range_of_denominator,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        (65, 100, 0.552544, 0.736358),
        (1, 100, 0.00176743, 0.0544862),
        (5, 100, 0.0215437, 0.1117505),
        (0, 10, 0, 0.277533),
        (9856, 12345, 0.791210, 0.805364),
    ],
)
def test_wilson_interval_has_the_values_of_the_specification(numerator, denominator, low, high):
    assert wilson_interval(numerator, denominator) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_count_is_read_from_share_and_size(counts):
    numerator, denominator = counts
    assert range_of_count(round(numerator / denominator, 6), denominator) == (numerator, numerator)


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([("share", "low"), ("share", "high"), ("low", "high"), ("share", "low", "high")]),
)
def test_size_is_read_from_share_and_interval(counts, shown):
    numerator, denominator = counts
    low, high = (round(bound, 6) for bound in wilson_interval(numerator, denominator))
    numbers = {"share": round(numerator / denominator, 6), "low": max(low, 0.0), "high": min(high, 1.0)}
    found = range_of_denominator(*(numbers[name] if name in shown else None for name in numbers))
    if found is None:
        # A bound at 0 or 1 says nothing of the size, and then the other one must be shown too.
        assert numerator in (0, denominator) and len(shown) == 2
    else:
        assert found[0] <= denominator <= found[1]
        assert found[1] - found[0] <= max(2, denominator / 50)


def test_share_alone_says_nothing_of_the_size():
    assert range_of_denominator(0.5, None, None) is None
