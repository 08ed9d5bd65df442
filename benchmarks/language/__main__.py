"""`make bench-language`: measure the language part of the library against its peers."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.language.data import labelled_file, read_data
from benchmarks.language.generated import write_generated
from benchmarks.language.parts import PARTS
from benchmarks.language.settings import QUICK, BenchSettings
from benchmarks.language.workbench import Workbench
from benchmarks.machine import describe_run
from benchmarks.report import write_part, write_results
from patient_feedback.errors import FeedbackError
from patient_feedback.language.training import SEED

FOLDER = Path(__file__).resolve().parents[1]


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
"""Errors come plain: a decorated one could show the variables of a frame, and so a comment."""


@app.command()
def main(
    quick: Annotated[
        bool, typer.Option(help="Generated comments and small sizes: shows that it works.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One part, may be repeated: {', '.join(PARTS)}.")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="How often folds are drawn; each round is five trainings, a seed each.")
    ] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads for all that is measured.")] = os.cpu_count()
    or 1,
) -> None:
    """Measure ours and the peers in the same run; write results/language.json and language.md."""
    try:
        if quick:
            with tempfile.TemporaryDirectory() as folder:
                run(
                    write_generated(Path(folder) / "generated.csv"),
                    replace(QUICK, threads=threads),
                    only,
                    Path(folder) / "cache",
                    Path(folder) / "results",
                )
                typer.echo((Path(folder) / "results" / "language.md").read_text(encoding="utf-8"))
        else:
            settings = BenchSettings(
                seeds=tuple(SEED + 1000 * number for number in range(rounds)), threads=threads
            )
            run(labelled_file(), settings, only, FOLDER / ".cache", FOLDER / "results")
    except FeedbackError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)


def run(
    labelled: Path, settings: BenchSettings, only: list[str] | None, cache: Path, results: Path
) -> list[dict[str, object]]:
    """Measure the parts one after the other and write the results; return the figures."""
    if unknown := sorted(set(only or ()) - set(PARTS)):
        raise FeedbackError(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.")
    data = read_data(labelled)
    for part in only or PARTS:
        started = time.perf_counter()
        typer.echo(f"{part} ...", err=True)
        bench = Workbench(data, settings, cache)
        result = PARTS[part](bench)
        described = describe_run(
            settings.threads, len(settings.seeds) * settings.fold_count, data.comments.sha256[:8]
        )
        took = round(time.perf_counter() - started)
        write_part(results, part, result, {**described, "is_cached": bench.is_cached, "seconds": took})
        typer.echo(f"{part}: {took} s", err=True)
    return write_results(results, "language", "The language part against its peers", list(PARTS))


if __name__ == "__main__":
    app()
