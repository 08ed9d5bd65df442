"""Feedback made by arithmetic, with what the models in force would have read in it, straight into the warehouse."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg

from patient_feedback.orchestration.analysis import versions_in_force
from patient_feedback.settings import SOURCE_TREE, Settings

FOLDER = Path(__file__).parent
THREE_YEARS = 0
"""Months that late feedback spreads over, where all of it spreads over three years."""


def generate(settings: Settings, first: int, last: int, late_months: int = THREE_YEARS) -> None:
    """Add the responses with these numbers, half of them with a comment; the same in every run.

    late_months: nine in ten fall into the month after the three years, the others into so many months before it.
    """
    versions = versions_in_force(settings)
    with (SOURCE_TREE / "dbt_project" / "seeds" / "topics.csv").open(encoding="utf-8", newline="") as file:
        topic_slugs = [row["topic_slug"] for row in csv.DictReader(file)]
    values = {
        "first": first,
        "last": last,
        "recent_months": late_months,
        "topic_slugs": topic_slugs,
        "encoder": versions.encoder,
        "sentiment": versions.sentiment,
        "topics": versions.topics,
        "serious": versions.serious,
    }
    with psycopg.connect(settings.dsn(), cursor_factory=psycopg.ClientCursor) as connection:
        if first == 1:
            connection.execute((FOLDER / "theme_set.sql").read_text(encoding="utf-8"), values)
        connection.execute((FOLDER / "generated_feedback.sql").read_text(encoding="utf-8"), values)
