"""`make bench-ingestion`: measure how feedback comes into the warehouse, against a bare COPY and an upsert by pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import OVER_REPEATS, Value, over_repeats
from benchmarks.ingestion.deliveries import GENERATED, HCAHPS, declared, generated_feedback, hcahps_file
from benchmarks.ingestion.loads import copy_bare, decide, land, upsert_pages
from benchmarks.machine import describe_run, seconds
from benchmarks.report import PartResult, Row, write_part, write_results
from benchmarks.warehouses import Warehouses, warehouses
from patient_feedback.errors import FeedbackError
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import SOURCE_TREE, Settings
from patient_feedback.sources.declaration import Source

FOLDER = Path(__file__).resolve().parents[1] / "results"
COPY, UPSERT = "bare COPY", "upsert of 100 rows a page"
KEYS = {GENERATED: ("response",), HCAHPS: ("facility_id", "hcahps_measure_id", "end_date")}
PARTS = ("landing", "end_to_end", "memory")
MEMORY_LIMIT_MB = 500.0
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    rows: Annotated[int, typer.Option(min=1, help="Records of the generated file.")] = 300_000,
    many_rows: Annotated[int, typer.Option(min=1, help="Records of the run that shows memory.")] = 3_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="How often each side of a timing runs.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help=f"One part: {', '.join(PARTS)}.")] = None,
    results: Annotated[Path, typer.Option(help="Where the figures go.")] = FOLDER,
) -> None:
    """Measure all ways in the same run; write results/ingestion.json and ingestion.md."""
    wanted = only or list(PARTS)
    if unknown := sorted(set(wanted) - set(PARTS)):
        typer.echo(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.", err=True)
        sys.exit(1)
    measured: dict[str, Callable[[], PartResult]] = {
        "landing": lambda: _timed(rows, repeats, _landing),
        "end_to_end": lambda: _timed(rows, repeats, _end_to_end),
        "memory": lambda: _memory(rows, many_rows),
    }
    for part in wanted:
        started = time.perf_counter()
        typer.echo(f"{part} ...", err=True)
        result = measured[part]()
        described = describe_run(os.cpu_count() or 1, 1, HCAHPS if hcahps_file() else GENERATED)
        took = round(time.perf_counter() - started)
        write_part(results, part, result, {**described, "is_cached": None, "seconds": took})
    write_results(results, "ingestion", "Feedback into the warehouse", list(PARTS))
    typer.echo((results / "ingestion.md").read_text(encoding="utf-8"))


Measure = Callable[[Warehouses, Source, Path, str, int], Row]


def _timed(rows: int, repeats: int, measure: Measure) -> PartResult:
    with warehouses() as made:
        generated = generated_feedback(made.folder / "feedback.csv", rows)
        measured = [
            measure(
                made, declared(made.folder, GENERATED, "csv_file", generated), generated, GENERATED, repeats
            )
        ]
        if given := hcahps_file():
            source = declared(made.folder, HCAHPS, "hcahps_file", given)
            measured.append(measure(made, source, given, HCAHPS, repeats))
    return PartResult(tuple(measured))


def _landing(made: Warehouses, source: Source, path: Path, name: str, repeats: int) -> Row:
    """Records a second into landing.record, against the same bytes into a table of texts."""

    def ours(settings: Settings) -> None:
        land(settings, source)

    taken = _in_turn(made, {"ours": ours, COPY: lambda settings: copy_bare(settings, path)}, repeats)
    how = (
        "records a second: the file to the landing area, hashed; every row read, mended and kept as JSON; "
        f"{OVER_REPEATS}, sides in turn, an empty warehouse each"
    )
    return _row(f"landing_{name}", how, _count(made, source), taken, COPY, goal=0.25)


def _end_to_end(made: Warehouses, source: Source, path: Path, name: str, repeats: int) -> Row:
    """Records a second into `feedback`, gate included, against a connector that checks nothing."""

    def ours(settings: Settings) -> None:
        decide(settings, source, land(settings, source), lambda texts: [(text, 0) for text in texts])

    sides = {
        "ours": ours,
        UPSERT: lambda settings: upsert_pages(settings, path, KEYS[name]),
        COPY: lambda settings: copy_bare(settings, path),
    }
    taken = _in_turn(made, sides, repeats)
    how = (
        "records a second: landed, mapped, judged by every check of the landing gate, accepted; redaction left out (see "
        f"the language part); {OVER_REPEATS}, sides in turn, an empty warehouse each"
    )
    return _row(f"end_to_end_{name}", how, _count(made, source), taken, UPSERT)


def _memory(few: int, many: int) -> PartResult:
    """Peak memory at both sizes, each in a process of its own."""
    found = {count: _run_memory(count) for count in (few, many)}
    peaks = {count: one["peak_mb"] for count, one in found.items()}
    if not all(peaks.values()):
        raise FeedbackError("This system does not say how much memory a process held: run the part on Linux.")
    how = "peak memory of a process that lands, maps, checks and accepts, libraries included, in MB; redaction left out"
    rows = [
        Row("memory_mb", how, many, _value(peaks[many]), goal=MEMORY_LIMIT_MB, is_lower_better=True),
        Row("memory_landing_mb", "the same when it had landed", many, _value(found[many]["landing_mb"])),
        Row("memory_mb_at_fewer_rows", how, few, _value(peaks[few])),
        Row("records_per_second_at_most_rows", "landed, mapped, checked, accepted", many,
            _value(many / found[many]["seconds"])),
    ]  # fmt: skip
    return PartResult(tuple(rows))


def _run_memory(count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingestion.memory", str(count)],
        capture_output=True,
        text=True,
        cwd=SOURCE_TREE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode != 0:
        raise FeedbackError(f"benchmarks.ingestion.memory {count} failed: {done.stderr.strip()[-500:]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _in_turn(
    made: Warehouses, sides: dict[str, Callable[[Settings], None]], repeats: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        names = list(sides) if repeat % 2 == 0 else list(sides)[::-1]
        for name in names:
            with made.empty() as settings:
                taken[name].append(seconds(partial(sides[name], settings)))
    return taken


def _count(made: Warehouses, source: Source) -> int:
    with made.empty() as settings:
        return land_source(settings, source, "bench").record_count


def _row(
    figure: str, how: str, count: int, taken: dict[str, list[float]], peer: str, goal: float | None = None
) -> Row:
    rates = {name: over_repeats([count / one for one in times]) for name, times in taken.items()}
    ratio = over_repeats([other / own for own, other in zip(taken["ours"], taken[peer], strict=True)])
    return Row(
        figure,
        how,
        count,
        rates.pop("ours"),
        rates,
        peer,
        ratio,
        goal,
        "ratio",
    )


def _value(number: float) -> Value:
    return Value(number, number, number)


if __name__ == "__main__":
    app()
