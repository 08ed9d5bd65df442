"""Unknown numbers between bounds, linear rows over them, and what the bounds say of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-6
PROPAGATION_ROUNDS = 60


@dataclass
class Rows:
    """Linear rows under construction: low <= sum of coefficient times unknown <= high."""

    row_of_entry: list[int] = field(default_factory=list)
    unknown_of_entry: list[int] = field(default_factory=list)
    coefficients: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)

    def add(self, unknowns: Sequence[int], coefficients: Sequence[float], low: float, high: float) -> None:
        for unknown, coefficient in zip(unknowns, coefficients, strict=True):
            if coefficient:  # zero times a boundless unknown would be no number
                self.row_of_entry.append(len(self.lows))
                self.unknown_of_entry.append(unknown)
                self.coefficients.append(coefficient)
        self.lows.append(low)
        self.highs.append(high)


@dataclass(frozen=True)
class LinearSystem:
    """Unknowns, each lower <= x <= upper and whole where is_integer, and rows low <= matrix @ x <= high.

    Shapes: lower, upper, is_integer (unknowns,); matrix (rows, unknowns); row_low, row_high (rows,).
    """

    lower: Floats
    upper: Floats
    is_integer: Flags
    matrix: csr_matrix
    row_low: Floats
    row_high: Floats


@dataclass(frozen=True)
class Presolved:
    """Bounds after propagation, the rows that are left, and the unknowns whose bounds contradict one another."""

    system: LinearSystem
    free: Integers
    """Unknowns whose value is still open, in ascending order; the system's columns."""
    lower: Floats
    upper: Floats
    conflicts: Flags


def assemble(lower: Floats, upper: Floats, is_integer: Flags, rows: Rows) -> LinearSystem:
    """Return the system of these rows."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(
        (
            np.asarray(rows.coefficients, dtype=np.float64),
            (
                np.asarray(rows.row_of_entry, dtype=np.int64),
                np.asarray(rows.unknown_of_entry, dtype=np.int64),
            ),
        ),
        shape=(len(rows.lows), len(lower)),
    )
    return LinearSystem(
        lower, upper, is_integer, matrix, np.asarray(rows.lows, float), np.asarray(rows.highs, float)
    )


def presolve(system: LinearSystem, negligible_width: Floats) -> Presolved:
    """Tighten bounds by interval propagation and take out what they decide.

    negligible_width (unknowns,): a bounded unknown that is not whole and has no more room than this is taken out
    with its bounds as a tolerance of its rows, so that rounded means do not tie all cells together.
    """
    lower, upper, conflicts = system.lower.copy(), system.upper.copy(), np.zeros(len(system.lower), bool)
    conflicts |= lower > upper + TOLERANCE
    current = system
    for _ in range(2):
        # Once with all, then with what is left: most unknowns are published and leave at once.
        current, columns = _without_decided(current, lower, upper, conflicts, negligible_width)
        low, high, crossed = _propagated(current)
        lower[columns], upper[columns] = low, high
        conflicts[columns] |= crossed
        current = LinearSystem(
            low, high, current.is_integer, current.matrix, current.row_low, current.row_high
        )
        current = _embedded(current, columns, len(lower), lower, upper, system.is_integer)
    reduced, columns = _without_decided(current, lower, upper, conflicts, negligible_width)
    return Presolved(reduced, columns, lower, upper, conflicts)


def components(system: LinearSystem) -> Integers:
    """Return for each unknown the number of its connected component: unknowns that no row ties are apart."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    row_count, unknown_count = system.matrix.shape
    entries = system.matrix.tocoo()
    graph = coo_matrix(
        (np.ones(entries.nnz, np.int8), (entries.row + unknown_count, entries.col)),
        shape=(row_count + unknown_count, row_count + unknown_count),
    )
    labels = connected_components(graph, directed=False)[1][:unknown_count]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def holds(system: LinearSystem, values: Floats) -> Flags:
    """Return for each unknown whether these values keep its bounds and every row that it is in."""
    kept = (values >= system.lower - TOLERANCE) & (values <= system.upper + TOLERANCE)
    activity = system.matrix @ values
    slack = TOLERANCE * np.maximum(1, np.abs(activity))
    broken = (activity < system.row_low - slack) | (activity > system.row_high + slack)
    if broken.any():
        kept[system.matrix[np.flatnonzero(broken)].indices] = False
    return kept


def _embedded(
    system: LinearSystem,
    columns: Integers,
    unknown_count: int,
    lower: Floats,
    upper: Floats,
    is_integer: Flags,
) -> LinearSystem:
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(
        (system.matrix.data, columns[system.matrix.indices], system.matrix.indptr),
        shape=(system.matrix.shape[0], unknown_count),
    )
    return LinearSystem(lower, upper, is_integer, matrix, system.row_low, system.row_high)


def _without_decided(
    system: LinearSystem, lower: Floats, upper: Floats, conflicts: Flags, negligible_width: Floats
) -> tuple[LinearSystem, Integers]:
    """Return the system of open unknowns; rows without one are checked and leave, `conflicts` is filled in."""
    width = np.where(system.is_integer, TOLERANCE, np.maximum(negligible_width, TOLERANCE))
    is_open = (upper - lower > width) & ~conflicts
    low, high = np.where(is_open, 0, lower), np.where(is_open, 0, upper)
    matrix = system.matrix
    positive, negative = matrix.maximum(0), matrix.minimum(0)
    least = positive @ low + negative @ high
    most = positive @ high + negative @ low
    row_low, row_high = system.row_low - most, system.row_high - least
    columns = np.flatnonzero(is_open)
    reduced = matrix[:, columns].tocsr()
    has_open = np.diff(reduced.indptr) > 0
    touches_conflict = (abs(matrix) @ conflicts.astype(float)) > 0
    slack = TOLERANCE * np.maximum(1, np.maximum(np.abs(least), np.abs(most)))
    broken = ~has_open & ~touches_conflict & ((row_low > slack) | (row_high < -slack))
    if broken.any():
        conflicts[matrix[np.flatnonzero(broken)].indices] = True
    kept = np.flatnonzero(has_open & ~touches_conflict)
    return (
        LinearSystem(
            lower[columns],
            upper[columns],
            system.is_integer[columns],
            reduced[kept],
            row_low[kept],
            row_high[kept],
        ),
        columns,
    )


def _propagated(system: LinearSystem) -> tuple[Floats, Floats, Flags]:
    """Return tightened bounds, and the unknowns that no value is left for."""
    lower, upper = system.lower.copy(), system.upper.copy()
    crossed = np.zeros(len(lower), bool)
    matrix = system.matrix
    row_count = matrix.shape[0]
    if not row_count:
        return lower, upper, crossed
    rows = np.repeat(np.arange(row_count), np.diff(matrix.indptr))
    columns, values = matrix.indices, matrix.data
    is_positive = values > 0
    for _ in range(PROPAGATION_ROUNDS):
        smallest = values * np.where(is_positive, lower[columns], upper[columns])
        largest = values * np.where(is_positive, upper[columns], lower[columns])
        above = _bounds_of_others(smallest, rows, row_count, system.row_high)
        below = _bounds_of_others(largest, rows, row_count, system.row_low)
        new_upper, new_lower = upper.copy(), lower.copy()
        np.minimum.at(new_upper, columns, np.where(is_positive, above, below) / values)
        np.maximum.at(new_lower, columns, np.where(is_positive, below, above) / values)
        whole = system.is_integer
        new_upper[whole] = np.floor(new_upper[whole] + TOLERANCE)
        new_lower[whole] = np.ceil(new_lower[whole] - TOLERANCE)
        new_upper[crossed], new_lower[crossed] = upper[crossed], lower[crossed]
        crossed |= new_lower > new_upper + TOLERANCE
        moved = (new_upper < upper - TOLERANCE) | (new_lower > lower + TOLERANCE)
        lower, upper = new_lower, new_upper
        if not moved.any():
            break
    return lower, upper, crossed


def _bounds_of_others(terms: Floats, rows: Integers, row_count: int, limit: Floats) -> Floats:
    """Return for each entry what the row's limit leaves for it once the other terms take theirs."""
    is_infinite = np.isinf(terms)
    finite = np.where(is_infinite, 0, terms)
    sums = np.bincount(rows, weights=finite, minlength=row_count)
    infinite_counts = np.bincount(rows, weights=is_infinite, minlength=row_count)
    others_infinite = infinite_counts[rows] - is_infinite > 0
    remaining = limit[rows] - (sums[rows] - finite)
    # An unbounded other term leaves any value: the sign of its infinity is that of the limit's side.
    sign = np.sign(np.bincount(rows, weights=np.where(is_infinite, np.sign(terms), 0), minlength=row_count))[
        rows
    ]
    return np.where(others_infinite, np.where(sign < 0, np.inf, -np.inf), remaining)
