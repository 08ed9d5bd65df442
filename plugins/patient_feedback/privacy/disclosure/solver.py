"""The least and the largest value of unknowns, where it matters: which of them have one value only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from patient_feedback.privacy.disclosure.linear_system import (
    TOLERANCE,
    Flags,
    Floats,
    Integers,
    LinearSystem,
    components,
    holds,
    presolve,
)

BATCH_UNKNOWNS = 2_000
"""Components are solved together up to so many unknowns: one call of the solver costs more than a small component."""

NEIGHBOUR_ROUNDS = 3
LINEAR_ROUNDS = 4
WHOLE_ROUNDS = 12

GLANCE_ROUNDS = 24
GLANCE_SECONDS = 1.0
GLANCE_GAP = 0.9
"""To see unknowns move takes any solution, not the best one: the solver stops early, and is asked another thing."""

MOST_LATE = 2
"""A component on which the solver was late so often is no longer proven as a whole, but unknown by unknown."""
BEYOND_ANY_COUNT = 1e6


@dataclass(frozen=True)
class Ranges:
    """Per unknown of the system: the range that was found, and how sure it is.

    low, high (unknowns,): for a pinned unknown its whole range; for another two values that it can take.
    is_pinned: no two possible values are `width` apart. is_undecided: the time did not suffice.
    is_impossible: nothing satisfies the rows of its component.
    """

    low: Floats
    high: Floats
    is_pinned: Flags
    is_undecided: Flags
    is_impossible: Flags


def pinned_unknowns(
    system: LinearSystem,
    targets: Flags,
    width: Floats,
    witness: Floats | None,
    solve_seconds: float,
    seed: int,
    joints: Flags | None = None,
) -> Ranges:
    """Tell which targets are pinned: their possible values lie less than `width` (unknowns,) apart.

    witness: a solution that is known, where one is; components that it does not satisfy are treated as if there
    were none. joints (unknowns,): those that tie small components to large ones. Whatever is pinned is proven; a
    target that is not has been seen with two values `width` apart.

    Not every target costs two optimisations. The solutions of a component that share one value in all pinned
    targets are told apart by one random objective: where two solutions differ in any of them, its maximum and
    its minimum differ too (with probability 1). So one pair of solves, over many components at once, pins what
    is pinned, or shows some of the others with a second value; those leave, and the rest is tried again.
    """
    return _Search(system, targets, width, witness, solve_seconds, seed).run(joints)


@dataclass(frozen=True)
class _Aim:
    """What the solver maximises in each component, between which bounds, and how hard it tries."""

    objective: Floats
    lower: Floats
    upper: Floats
    is_whole: bool
    seconds: float
    gap: float


class _Search:
    def __init__(
        self,
        system: LinearSystem,
        targets: Flags,
        width: Floats,
        witness: Floats | None,
        solve_seconds: float,
        seed: int,
    ) -> None:
        self.system, self.width, self.solve_seconds = system, width, solve_seconds
        self.random = np.random.default_rng(seed)
        self.labels = components(system)
        self.count = int(self.labels.max(initial=-1)) + 1
        self.columns_of = _grouped(self.labels, self.count)
        row_labels = (
            self.labels[system.matrix.indices[system.matrix.indptr[:-1]]] if system.matrix.shape[0] else []
        )
        self.rows_of = _grouped(np.asarray(row_labels, np.int64), self.count)
        ceiling = BEYOND_ANY_COUNT
        finite = np.concatenate(
            [system.lower[np.isfinite(system.lower)], system.upper[np.isfinite(system.upper)]]
        )
        if finite.size:
            ceiling = 4 * max(1000.0, float(np.abs(finite).max()))
        self.lower = np.maximum(system.lower, -ceiling)
        self.upper = np.minimum(system.upper, ceiling)
        self.seen_low = np.full(len(self.lower), np.inf)
        self.seen_high = np.full(len(self.lower), -np.inf)
        self.values = np.full(len(self.lower), np.nan)
        self.open = targets.copy()
        self.is_pinned = np.zeros(len(self.lower), bool)
        self.is_undecided = np.zeros(len(self.lower), bool)
        self.is_impossible = np.zeros(len(self.lower), bool)
        if witness is not None:
            self._start_from(witness)

    def run(self, joints: Flags | None) -> Ranges:
        self._find_first_solutions()
        if joints is not None and joints.any():
            self._look_apart(joints)
            self._look_apart(~joints)
        self._look_around()
        self._prove(LINEAR_ROUNDS, is_whole=False)
        self._glance()
        self._prove(WHOLE_ROUNDS, is_whole=True)
        self._measure_one_by_one()
        return Ranges(self.seen_low, self.seen_high, self.is_pinned, self.is_undecided, self.is_impossible)

    def _start_from(self, witness: Floats) -> None:
        fits = holds(self.system, witness)
        for component in range(self.count):
            columns = self.columns_of[component]
            if fits[columns].all():
                self._see(columns, witness[columns])

    def _see(self, columns: Integers, values: Floats) -> None:
        self.values[columns] = values
        self.seen_low[columns] = np.minimum(self.seen_low[columns], values)
        self.seen_high[columns] = np.maximum(self.seen_high[columns], values)
        spread = self.seen_high[columns] - self.seen_low[columns]
        self.open[columns] &= spread < self.width[columns] - TOLERANCE

    def _active(self) -> list[int]:
        return np.unique(self.labels[self.open]).tolist() if self.open.any() else []

    def _find_first_solutions(self) -> None:
        lacking = [one for one in self._active() if np.isnan(self.values[self.columns_of[one]]).any()]
        objective = self._random_objective()
        fractional = self._see_all(lacking, self._aim(objective, is_whole=False))
        self._see_all(fractional, self._aim(objective, is_whole=True))

    def _look_apart(self, held: Flags) -> None:
        """Try what falls apart where these unknowns keep their known values: what moves there moves here too."""
        is_known = ~np.isnan(self.values)
        kept = np.where(held & is_known, self.values, np.nan)
        apart = presolve(
            replace(
                self.system,
                lower=np.fmax(self.system.lower, kept),
                upper=np.fmin(self.system.upper, kept),
            ),
            np.zeros(len(kept)),
        )
        columns = apart.free
        search = _Search(
            apart.system,
            (self.open & is_known)[columns],
            self.width[columns],
            self.values[columns],
            self.solve_seconds,
            int(self.random.integers(2**32)),
        )
        search._look_around()
        search._prove(LINEAR_ROUNDS, is_whole=False)
        search._glance()
        self.seen_low[columns] = np.minimum(self.seen_low[columns], search.seen_low)
        self.seen_high[columns] = np.maximum(self.seen_high[columns], search.seen_high)
        self.open &= self.seen_high - self.seen_low < self.width - TOLERANCE

    def _look_around(self) -> None:
        """Try the neighbourhood of a known solution: with little room for each unknown, nearly all must move."""
        for round_number in range(NEIGHBOUR_ROUNDS):
            active = self._active()
            if not active:
                return
            aim = self._aim(self._random_objective(), is_whole=False, reach=4.0**round_number)
            self._see_all(active, aim)

    def _glance(self) -> None:
        """Try whole numbers next to a known solution, as long as any of those asked for moves."""
        moving = set(self._active())
        for _ in range(GLANCE_ROUNDS):
            active = [one for one in self._active() if one in moving]
            if not active:
                return
            was_open = self.open.copy()
            objective = np.where(self.open, self._random_objective(), 0.0)
            seconds = min(GLANCE_SECONDS, self.solve_seconds)
            self._see_all(
                active, self._aim(objective, is_whole=True, reach=1.0, seconds=seconds, gap=GLANCE_GAP)
            )
            moving = set(np.unique(self.labels[was_open & ~self.open]).tolist())

    def _prove(self, rounds: int, is_whole: bool) -> None:
        late_counts: Counter[int] = Counter()
        for _ in range(rounds):
            active = [one for one in self._active() if late_counts[one] < MOST_LATE]
            if not active:
                return
            objective = np.where(self.open, self._random_objective(), 0.0)
            was_open = self.open.copy()
            ends = []
            for direction in (1.0, -1.0):
                ends.append(self._solutions(active, self._aim(direction * objective, is_whole=is_whole)))
            (first, first_state), (last, last_state) = ends
            for component in active:
                columns = self.columns_of[component]
                states = (first_state.get(component), last_state.get(component))
                if "impossible" in states:
                    self._give_up(component, self.is_impossible)
                    continue
                if "late" in states:
                    for values, state in ((first, states[0]), (last, states[1])):
                        if state == "solved" and self._is_whole(values, columns):
                            self._see(columns, values[columns])
                    if is_whole:
                        late_counts[component] += 1
                    continue
                targets = columns[was_open[columns]]
                moved = np.abs(first[targets] - last[targets]) > TOLERANCE
                if not moved.any():
                    self._pin(targets, first[targets])
                    continue
                for values in (first, last):
                    if self._is_whole(values, columns):
                        self._see(columns, values[columns])

    def _measure_one_by_one(self) -> None:
        """Find the whole range of each target that is left: it moves, but was not seen to move by its width."""
        late_counts: Counter[int] = Counter()
        for target in map(int, np.flatnonzero(self.open)):
            component = int(self.labels[target])
            if not self.open[target]:
                continue
            if late_counts[component] >= MOST_LATE:
                self._give_up(component, self.is_undecided)
                continue
            self.open[target] = False
            objective = np.zeros(len(self.lower))
            bounds = []
            for direction in (1.0, -1.0):
                objective[target] = direction
                values, states = self._solutions([component], self._aim(objective, is_whole=True))
                if states.get(component) == "solved":
                    columns = self.columns_of[component]
                    self._see(columns, values[columns])
                    bounds.append(float(values[target]))
            if len(bounds) < 2:
                late_counts[component] += 1
                self.is_undecided[target] = self._is_still(target)
                continue
            self.seen_low[target], self.seen_high[target] = min(bounds), max(bounds)
            self.is_pinned[target] = self._is_still(target)

    def _is_still(self, target: int) -> bool:
        """Tell whether no two values of the target were seen that lie its width apart."""
        return bool(self.seen_high[target] - self.seen_low[target] < self.width[target] - TOLERANCE)

    def _pin(self, targets: Integers, values: Floats) -> None:
        whole = self.system.is_integer[targets]
        values = np.where(whole, np.round(values), values)
        self.seen_low[targets] = np.fmin(self.seen_low[targets], values)
        self.seen_high[targets] = np.fmax(self.seen_high[targets], values)
        self.is_pinned[targets] = True
        self.open[targets] = False

    def _give_up(self, component: int, flags: Flags) -> None:
        columns = self.columns_of[component]
        flags[columns] |= self.open[columns]
        self.open[columns] = False

    def _random_objective(self) -> Floats:
        signs = self.random.choice([-1.0, 1.0], size=len(self.lower))
        return signs * self.random.uniform(0.5, 1.5, size=len(self.lower))

    def _is_whole(self, values: Floats, columns: Integers) -> bool:
        """Tell whether there is a solution, and one of whole numbers where they are to be whole."""
        if np.isnan(values[columns]).any():
            return False
        whole = columns[self.system.is_integer[columns]]
        return bool((np.abs(values[whole] - np.round(values[whole])) < 1e-5).all())

    def _aim(
        self,
        objective: Floats,
        *,
        is_whole: bool,
        reach: float | None = None,
        seconds: float | None = None,
        gap: float = 0.0,
    ) -> _Aim:
        """Return an aim between all bounds, or within `reach` widths of the known solution where that is given."""
        lower, upper = self.lower, self.upper
        if reach is not None:
            room = np.where(self.system.is_integer, np.maximum(self.width, 1) * reach, np.inf)
            values = np.nan_to_num(self.values)
            lower, upper = np.maximum(lower, values - room), np.minimum(upper, values + room)
        return _Aim(
            objective, lower, upper, is_whole, self.solve_seconds if seconds is None else seconds, gap
        )

    def _see_all(self, wanted: list[int], aim: _Aim) -> list[int]:
        """Note a solution of each component; return those whose solution is not whole."""
        values, states = self._solutions(wanted, aim)
        fractional = []
        for component in wanted:
            columns = self.columns_of[component]
            state = states.get(component)
            if state == "impossible" and aim.lower is self.lower and aim.upper is self.upper:
                self._give_up(component, self.is_impossible)
            elif state != "impossible" and self._is_whole(values, columns):
                whole = self.system.is_integer[columns]
                self._see(columns, np.where(whole, np.round(values[columns]), values[columns]))
            elif state == "solved":
                fractional.append(component)
        return fractional

    def _solutions(self, wanted: list[int], aim: _Aim) -> tuple[Floats, dict[int, str]]:
        """Maximise the objective in each component; whole numbers are asked for one component at a time."""
        values = np.full(len(self.lower), np.nan)
        states: dict[int, str] = {}

        def solve(batch: list[int]) -> None:
            columns = np.concatenate([self.columns_of[one] for one in batch])
            rows = np.concatenate([self.rows_of[one] for one in batch])
            state, found = self._solve(columns, rows, aim)
            if state != "solved" and len(batch) > 1:
                solve(batch[: len(batch) // 2])
                solve(batch[len(batch) // 2 :])
                return
            if found is not None:
                values[columns] = found
            states.update(dict.fromkeys(batch, state))

        batches = [[one] for one in wanted] if aim.is_whole else list(self._batches(wanted))
        # The solver lets other threads run meanwhile, and no two batches share an unknown.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(solve, batches):
                pass
        return values, states

    def _batches(self, wanted: list[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        size = 0
        for component in wanted:
            length = len(self.columns_of[component])
            if batch and size + length > BATCH_UNKNOWNS:
                yield batch
                batch, size = [], 0
            batch.append(component)
            size += length
        if batch:
            yield batch

    def _solve(self, columns: Integers, rows: Integers, aim: _Aim) -> tuple[str, Floats | None]:
        from scipy.optimize import Bounds, LinearConstraint, milp

        limits = (
            LinearConstraint(
                self.system.matrix[rows][:, columns], self.system.row_low[rows], self.system.row_high[rows]
            )
            if len(rows)
            else ()
        )
        result = milp(
            -aim.objective[columns],
            integrality=self.system.is_integer[columns].astype(int) if aim.is_whole else None,
            bounds=Bounds(aim.lower[columns], aim.upper[columns]),
            constraints=limits,
            options={"time_limit": aim.seconds, "mip_rel_gap": aim.gap},
        )
        if result.status == 2:
            return "impossible", None
        if result.status != 0 or result.x is None:
            return "late", result.x
        return "solved", np.asarray(result.x)


def _grouped(labels: Integers, count: int) -> list[Integers]:
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=count)) if count else np.zeros(0, int)
    return np.split(order, ends[:-1]) if count else []
