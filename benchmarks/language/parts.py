"""The parts of the benchmark, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.language import sentiment, themes, topics
from benchmarks.language.results import PartResult
from benchmarks.language.workbench import Workbench

PARTS: dict[str, Callable[[Workbench], PartResult]] = {
    "sentiment": sentiment.measure,
    "topics": topics.measure,
    "themes": themes.measure,
}
