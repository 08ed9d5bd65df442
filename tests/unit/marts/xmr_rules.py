"""The XmR chart and its rules written a second time, by their definitions, to compare the macros with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

Signal = tuple[int, str, int]
"""Place of the point, kind of signal, direction."""


def as_fractions(values: Sequence[Any]) -> list[Any]:
    return [Fraction(str(value)) for value in values]


def centre_and_range(values: Sequence[Any], is_screened: bool = True) -> tuple[Any, Any]:
    """Return mean and mean moving range, in the kind of number that was given."""
    ranges = [abs(later - earlier) for earlier, later in itertools.pairwise(values)]
    mean_range = sum(ranges) / len(ranges)
    if is_screened:
        kept = [moving_range for moving_range in ranges if moving_range * 1000 < 3267 * mean_range]
        if sum(kept):
            mean_range = sum(kept) / len(kept)
    return sum(values) / len(values), mean_range


def signals_of(values: Sequence[Any], rule_set: str) -> set[Signal]:
    """Return every point that is part of a signal, rule by rule."""
    centre, mean_range = centre_and_range(values)
    distances = [value - centre for value in values]
    sides = [_beyond(distance, 0) for distance in distances]
    outside = [_beyond(distance * 100, 266 * mean_range) for distance in distances]
    near = [_beyond(distance * 10000, 17733 * mean_range) for distance in distances]
    is_nhs = rule_set == "nhs"
    found = {(place, "outside_limits", way) for place, way in enumerate(outside) if way}

    def windows(kind: str, length: int, holds: Callable[[range, int], bool], ways=(1, -1)) -> None:
        for first in range(len(values) - length + 1):
            window = range(first, first + length)
            for way in ways:
                if holds(window, way):
                    found.update((place, kind, way) for place in window)

    def steps(window: range) -> list[int]:
        return [_beyond(values[place] - values[place - 1], 0) for place in window[1:]]

    windows("shift", 7 if is_nhs else 8, lambda window, way: all(sides[place] == way for place in window))
    windows("trend", 7 if is_nhs else 6, lambda window, way: set(steps(window)) == {way})
    for first in range(len(values) - 2):
        window = range(first, first + 3)
        for way in (1, -1):
            marked = [place for place in window if near[place] == way and (is_nhs or not outside[place])]
            if len(marked) >= 2 and (not is_nhs or all(sides[place] == way for place in window)):
                found.update((place, "two_of_three", way) for place in marked)
    if not is_nhs:
        inner = [abs(distance) * 300 < 266 * mean_range for distance in distances]
        windows("inner_third", 15, lambda window, _: all(inner[place] for place in window), ways=(0,))
    return found


def _beyond(number: Any, limit: Any) -> int:
    return (number > limit) - (number < -limit)
