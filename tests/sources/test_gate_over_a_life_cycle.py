"""Feedback is given, edited and taken back; the landing gate finds nothing in it but what there is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from channel import Channel
from survey_table import SurveyTool, sqlite_tool
from systems import SYSTEMS

from patient_feedback.settings import Settings

UNKNOWN_COLUMN, NO_ORGANISATION, NO_SERVICE, NO_ANSWERS = (
    "FB-LND-006",
    "FB-LND-045",
    "FB-LND-046",
    "FB-LND-074",
)
FOUND = {
    "care_opinion": {NO_ANSWERS},
    "fhir_bulk": {NO_ORGANISATION, NO_SERVICE},
    "fhir_search": {NO_ORGANISATION, NO_SERVICE},
    "google_reviews": {NO_ORGANISATION, NO_SERVICE},
    "qualtrics": {UNKNOWN_COLUMN, NO_ORGANISATION, NO_SERVICE},
    "survey_monkey": {UNKNOWN_COLUMN, NO_ORGANISATION, NO_SERVICE},
}
"""What is true of the records of `systems.py`: their declarations name no place, and nobody gave a grade."""


@pytest.mark.parametrize("kind", sorted(SYSTEMS))
def test_gate_tells_withdrawals_from_records_that_lost_something(
    kind: str, warehouse: Settings, tmp_path: Path
) -> None:
    system = SYSTEMS[kind]()
    moments = (datetime(2026, 3, 10, 12, tzinfo=UTC) + number * timedelta(minutes=7) for number in count())
    with system.emulator() as emulator:
        system.open(warehouse, tmp_path, emulator)
        channel = system.channel
        for number in (1, 2, 3):
            system.say(number, "The nurse was kind", next(moments))
        channel.run()
        system.say(2, "The nurse was very kind", next(moments))
        system.say(4, "The ward was noisy", next(moments))
        channel.land()
        for number in (3, 4):
            system.remove(number, next(moments))
        *given, withdrawn = channel.run_gated()
        assert given and all(failed == FOUND[kind] for failed in given)
        assert withdrawn <= {UNKNOWN_COLUMN}
        channel.assert_shows(system.question, system.truth)
        assert channel.withdrawn == {system.ref(3), system.ref(4)}
        assert set(channel.days.values()) == {"2026-03-10"}, "a withdrawal lost the day of its feedback"


@pytest.fixture
def survey(warehouse: Settings, tmp_path: Path) -> Iterator[tuple[SurveyTool, Channel]]:
    with sqlite_tool(tmp_path) as tool:
        mapping = {"submitted_on": {"column": "submitted_at", "formats": ["%Y-%m-%d %H:%M:%S.%f"]}}
        yield tool, Channel(warehouse, tool.source(tmp_path, mapping), tool.connection)


def test_gate_tells_rows_that_are_gone_from_rows_that_lost_something(
    survey: tuple[SurveyTool, Channel],
) -> None:
    tool, channel = survey
    for key in (1, 2, 3):
        tool.put(key, "The nurse was kind")
    channel.run()
    tool.put(2, "The nurse was very kind", "2025-03-01 10:00")
    tool.put(4, "The ward was noisy", "2025-03-01 10:05")
    channel.land()
    tool.remove(3, 4)
    assert channel.run_gated() == [{NO_ORGANISATION}, set()]
    channel.assert_shows("comment", tool.said)
    assert channel.withdrawn == {"3", "4"}
    assert set(channel.days.values()) == {"2025-03-01"}
