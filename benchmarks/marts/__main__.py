"""`make bench-marts`: what marts cost from nothing, and with one in a hundred new: the build, and the attack on them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from psycopg import sql

from benchmarks.figures import OVER_REPEATS, Value, over_repeats
from benchmarks.machine import describe_run, seconds
from benchmarks.marts.generated import generate
from benchmarks.report import PartResult, Row, Table, write_part, write_results
from benchmarks.warehouses import warehouses
from patient_feedback.orchestration.disclosure import attack_marts
from patient_feedback.orchestration.marts import build_marts, publish_marts
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

FOLDER = Path(__file__).resolve().parents[1] / "results"
PARTS = ("build", "attack")
NEW_SHARE = 0.01
LATE_MONTHS = 3
INCREMENTAL_GOAL = 0.1
SHOWN_MODELS = 12
RUN = TaskRun("build_marts", "bench", "build_marts")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    responses: Annotated[
        int, typer.Option(min=100, help="Responses; half of them have a comment.")
    ] = 1_000_000,
    attacked: Annotated[
        int,
        typer.Option(
            min=100, help="Responses behind the marts that are attacked: so few that most cells are hidden."
        ),
    ] = 5_000,
    only: Annotated[list[str] | None, typer.Option(help=f"One part: {', '.join(PARTS)}.")] = None,
    results: Annotated[Path, typer.Option(help="Where the figures go.")] = FOLDER,
) -> None:
    """Measure each part in a warehouse of its own; write results/marts.json and marts.md."""
    wanted = only or list(PARTS)
    if unknown := sorted(set(wanted) - set(PARTS)):
        typer.echo(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.", err=True)
        sys.exit(1)
    measured: dict[str, tuple[int, Callable[[], PartResult]]] = {
        "build": (responses, lambda: _build(responses)),
        "attack": (attacked, lambda: _attack(attacked)),
    }
    for part in wanted:
        count, measure = measured[part]
        started = time.perf_counter()
        typer.echo(f"{part} ...", err=True)
        result = measure()
        described = describe_run(os.cpu_count() or 1, 1, f"{count:,} generated responses")
        took = round(time.perf_counter() - started)
        write_part(results, part, result, {**described, "is_cached": None, "seconds": took})
    write_results(results, "marts", "Building the marts", list(PARTS))
    typer.echo((results / "marts.md").read_text(encoding="utf-8"))


def _build(responses: int) -> PartResult:
    """Build in both slots from nothing, then go on from there."""
    new = max(1, round(responses * NEW_SHARE))
    with warehouses() as made, made.empty() as settings:
        generate(settings, 1, responses)
        full, models = [_built(settings, is_incremental=False)], _models(settings)
        full.append(_built(settings, is_incremental=False))
        heaviest = max(models, key=lambda name: models[name])
        plain = _plain(settings, heaviest)
        one: list[float] = []
        for repeat in range(2):
            generate(settings, responses + repeat * new + 1, responses + (repeat + 1) * new, LATE_MONTHS)
            one.append(_built(settings, is_incremental=True))
            going_on = _models(settings)
            # The other slot goes on too, from what it saw last.
            _built(settings, is_incremental=True)
        nothing = _built(settings, is_incremental=True)
    how = "seconds of `dbt build` with its data tests, beside the published marts; unit tests, attack and gate left out"
    rows = [
        Row("full_build", how, responses, over_repeats(full), {f"plain SQL of {heaviest}": _value(plain)}),
        Row(
            "incremental_share_of_full",
            f"a build with {new:,} new responses, a tenth of them up to {LATE_MONTHS} months late, over a full one; "
            f"{OVER_REPEATS}",
            responses,
            over_repeats([taken / full[0] for taken in one]),
            goal=INCREMENTAL_GOAL,
            is_lower_better=True,
        ),
        Row("incremental_build", f"{how}; {new:,} new responses", responses, over_repeats(one)),
        Row("nothing_new", f"{how}; nothing new", responses, _value(nothing)),
    ]
    heavy = sorted(models, key=lambda name: -models[name])[:SHOWN_MODELS]
    table = Table(
        "Heaviest models",
        ("model", "seconds from nothing", "seconds with 1 % new"),
        tuple((name, f"{models[name]:.1f}", f"{going_on.get(name, 0):.1f}") for name in heavy),
        "Four models are built at the same time: their seconds add up to more than the build's.",
    )
    return PartResult(tuple(rows), (table,))


def _attack(responses: int) -> PartResult:
    """Attack candidates of which most cells are hidden: the first edition, and a second with that one beside it."""
    new = max(1, round(responses * NEW_SHARE))
    taken: list[float] = []
    found: list[dict[str, int]] = []
    with warehouses() as made, made.empty() as settings:
        for first, last in ((1, responses), (responses + 1, responses + new)):
            generate(settings, first, last)
            candidate, counts = build_marts(settings, RUN, TaskCounts()), TaskCounts()
            taken.append(seconds(partial(attack_marts, settings, candidate, RUN, counts)))
            found.append({name: int(count) for name, count in counts.counts.items()})
            publish_marts(settings, candidate, RUN, TaskCounts())
    how = "seconds of the attack on a candidate, mending included"
    rows = [
        Row("attack_first_edition", how, found[0]["cell_count"], _value(taken[0])),
        Row(
            "attack_next_edition",
            f"{how}; {new:,} new responses, the edition before beside it",
            found[1]["cell_count"],
            _value(taken[1]),
        ),
        Row(
            "undecided_cells",
            "suppressed cells on which the attack came to no end, of both editions",
            sum(one["cell_count"] for one in found),
            _value(sum(one["undecided_cell_count"] for one in found)),
            goal=0.0,
            is_lower_better=True,
        ),
    ]
    return PartResult(tuple(rows))


def _built(settings: Settings, *, is_incremental: bool) -> float:
    """Build the slot whose turn it is and publish it; return the seconds of the build.

    Raises RuntimeError where it was not the kind of build that is to be measured, or a test of dbt failed.
    """
    candidate: dict[str, str | int] = {}
    counts = TaskCounts()
    taken = seconds(lambda: candidate.update(build_marts(settings, RUN, counts)))
    if counts.counts["is_incremental"] != is_incremental or counts.counts["failed_test_count"]:
        raise RuntimeError(f"Not the build that was to be measured: {counts.counts}.")
    publish_marts(settings, candidate, RUN, TaskCounts())
    return taken


def _results(settings: Settings) -> tuple[str, list[dict[str, object]]]:
    with connect(settings, "bench") as connection:
        row = connection.execute("select marts_slot from audit.publication where is_current").fetchone()
    assert row is not None
    path = settings.home / "dbt" / "target" / str(row[0]) / "run_results.json"
    return str(row[0]), json.loads(path.read_text(encoding="utf-8"))["results"]


def _models(settings: Settings) -> dict[str, float]:
    """Return the seconds of each model in the build that is published."""
    return {
        str(result["unique_id"]).rsplit(".", 1)[1]: float(str(result["execution_time"]))
        for result in _results(settings)[1]
        if str(result["unique_id"]).startswith("model.")
    }


def _plain(settings: Settings, model: str) -> float:
    """Return the seconds of the model's own query, its rows kept in a table without indexes or contract."""
    slot, results = _results(settings)
    compiled = next(one["compiled_code"] for one in results if str(one["unique_id"]).endswith(f".{model}"))
    with connect(settings, "bench") as connection:
        statement = sql.SQL("create table {}.plain as {}").format(
            sql.Identifier(slot), sql.SQL(str(compiled))
        )
        return seconds(lambda: connection.execute(statement))


def _value(number: float) -> Value:
    return Value(number, number, number)


if __name__ == "__main__":
    app()
