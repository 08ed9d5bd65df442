"""The feedback that the benchmark of the marts builds from is what it says."""

from __future__ import annotations

import datetime

from benchmarks.marts.generated import generate

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

READ = """
    select submitted_on, comment_id, sentiment.text_sha256
    from feedback.response
    left join feedback.comment using (response_id)
    left join analysis.sentiment using (text_sha256)
    where response.source_record_ref::integer between %s and %s
"""
LATEST = datetime.date(2026, 1, 1)


def rows_of(settings: Settings, first: int, last: int) -> list[tuple[datetime.date, str | None, str | None]]:
    with connect(settings, "test") as connection:
        return connection.execute(READ, (first, last)).fetchall()


def test_half_of_three_years_of_responses_have_a_comment_that_was_read(warehouse: Settings) -> None:
    generate(warehouse, 1, 600)
    rows = rows_of(warehouse, 1, 600)
    comments = [row for row in rows if row[1] is not None]
    assert len(rows) == 600
    assert 250 < len(comments) < 350
    assert all(text is not None for _, _, text in comments)
    assert 35 <= len({day.replace(day=1) for day, _, _ in rows}) <= 37


def test_one_in_ten_new_responses_is_late_by_up_to_the_months_that_are_asked(warehouse: Settings) -> None:
    generate(warehouse, 1, 400)
    generate(warehouse, 401, 800, late_months=3)
    days = [day for day, _, _ in rows_of(warehouse, 401, 800)]
    late = [day for day in days if day < LATEST]
    assert len(days) == 400
    assert 20 < len(late) < 60
    assert LATEST - min(late) <= datetime.timedelta(days=91)
