"""The parts of the benchmark, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.language import (
    ablation,
    encoding,
    redaction,
    sentiment,
    theme_speed,
    themes,
    topics,
    whole_analysis,
)
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult

PARTS: dict[str, Callable[[Workbench], PartResult]] = {
    "embedding": encoding.measure,
    "sentiment": sentiment.measure,
    "topics": topics.measure,
    "themes": themes.measure,
    "theme_speed": theme_speed.measure,
    "whole_analysis": whole_analysis.measure,
    "redaction": redaction.measure,
    "ablation": ablation.measure,
}
