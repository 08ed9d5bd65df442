"""The hand-written comments of `samples/bank`, each with a day on which it may have been given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import yaml

BANK = Path(__file__).resolve().parents[1] / "samples" / "bank"
FIRST_MOMENT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
BETWEEN = timedelta(hours=31)
WARDS = ("Ward 3", "Urgent Treatment Centre", "Maternity", "Outpatients")
GRADES = {"very_negative": 1, "negative": 2, "neutral": 3, "positive": 4, "very_positive": 5}


@dataclass(frozen=True, slots=True)
class Said:
    """One comment as a source may hold it."""

    number: int
    text: str
    grade: int
    """1 very negative to 5 very positive."""
    moment: datetime
    ward: str


def sample_feedback(*files: str) -> Iterator[Said]:
    """Yield the comments of these files of the bank, in the order in which they were given."""
    wards = cycle(WARDS)
    number = 0
    for name in files:
        for group in yaml.safe_load((BANK / f"{name}.yml").read_text(encoding="utf-8")):
            for comment in group["comments"]:
                text = comment if isinstance(comment, str) else comment["text"]
                number += 1
                yield Said(
                    number,
                    text,
                    GRADES.get(group.get("sentiment", "negative"), 2),
                    FIRST_MOMENT + number * BETWEEN,
                    next(wards),
                )
