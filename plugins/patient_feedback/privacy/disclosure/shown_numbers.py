"""What rounded shares, means and intervals say about the counts behind them."""

from __future__ import annotations

from math import ceil, floor, sqrt

DECIMALS = 6
"""Published shares, interval bounds and means are rounded to so many decimals."""

HALF_UNIT = 0.5 * 10.0**-DECIMALS
WILSON_Z = 1.959964
LARGEST_SEARCH = 200_000
_SLACK = 1e-9

Range = tuple[float, float]


def range_of_count(share: float, denominator: int) -> Range:
    """Return the least and the largest whole count that is shown as this share; -1 to 1 for a net share."""
    return (
        ceil(denominator * (share - HALF_UNIT) - _SLACK),
        floor(denominator * (share + HALF_UNIT) + _SLACK),
    )


def range_of_sum(mean: float, count: int) -> Range:
    """Return between what the sum of so many scores lies, given their rounded mean."""
    return count * (mean - HALF_UNIT) - _SLACK, count * (mean + HALF_UNIT) + _SLACK


def range_of_denominator(
    share: float | None, low: float | None, high: float | None, z: float = WILSON_Z
) -> Range | None:
    """Return the least and the largest denominator that has this share and Wilson interval; None if they do not tell.

    Needs two of the three. A bound b of the interval solves n (b - share)^2 = z^2 b (1 - b) (Wilson 1927), so
    that n follows from one bound and the share, and the share from both bounds.
    """
    if share is None:
        if low is None or high is None:
            return None
        spread_low, spread_high = sqrt(max(low * (1 - low), 0)), sqrt(max(high * (1 - high), 0))
        if spread_low + spread_high == 0:
            return None
        estimate = (low * spread_high + high * spread_low) / (spread_low + spread_high)
    else:
        estimate = share
    candidates: Range | None = None
    for bound in (low, high):
        if bound is None or not 0 < bound < 1:
            continue
        error = 2 * HALF_UNIT if share is not None else 8 * HALF_UNIT
        distance = abs(bound - estimate)
        smallest = z**2 * bound * (1 - bound) * (1 - 1e-4) / (distance + error) ** 2
        if distance <= error:
            largest = float("inf")
        else:
            largest = z**2 * bound * (1 - bound) * (1 + 1e-4) / (distance - error) ** 2
        floor_of, ceil_of = max(1.0, floor(smallest)), largest if largest == float("inf") else ceil(largest)
        candidates = (
            (floor_of, ceil_of)
            if candidates is None
            else (max(candidates[0], floor_of), min(candidates[1], ceil_of))
        )
    if candidates is None or candidates[1] < candidates[0]:
        return None
    if candidates[1] - candidates[0] > LARGEST_SEARCH:
        return candidates
    fitting = [
        denominator
        for denominator in range(int(candidates[0]), int(candidates[1]) + 1)
        if _is_shown_alike(denominator, estimate, share, low, high, z)
    ]
    return (fitting[0], fitting[-1]) if fitting else None


def wilson_interval(numerator: int, denominator: int, z: float = WILSON_Z) -> Range:
    """Return the Wilson interval of a share, not rounded; the denominator is at least 1."""
    centre = 2 * numerator + z**2
    reach = z * sqrt(z**2 + 4 * numerator * (1 - numerator / denominator))
    return (centre - reach) / (2 * (denominator + z**2)), (centre + reach) / (2 * (denominator + z**2))


def _is_shown_alike(
    denominator: int, estimate: float, share: float | None, low: float | None, high: float | None, z: float
) -> bool:
    if share is None:
        nearest = round(estimate * denominator)
        numerators = [n for n in (nearest - 1, nearest, nearest + 1) if 0 <= n <= denominator]
    else:
        first, last = range_of_count(share, denominator)
        numerators = [n for n in range(int(first), int(last) + 1) if 0 <= n <= denominator]
    for numerator in numerators:
        shown = wilson_interval(numerator, denominator, z)
        if all(
            bound is None or abs(bound - computed) <= HALF_UNIT + _SLACK
            for bound, computed in zip((low, high), shown, strict=True)
        ):
            return True
    return False
