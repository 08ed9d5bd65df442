"""Traps that all kinds share that are asked: after each the account balances and the warehouse equals the truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from emulators.server import Emulator, Fault
from systems import SYSTEMS, System

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SKEW = timedelta(hours=2)


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    """Five records, an hour apart."""
    system = SYSTEMS[request.param]()
    for number in range(1, 6):
        system.say(number, f"The nurse was kind {number}", NOON + timedelta(hours=number))
    return system


@pytest.fixture
def emulator(system: System, warehouse: Settings, tmp_path: Path) -> Iterator[Emulator]:
    with system.emulator() as emulator:
        system.open(warehouse, tmp_path, emulator)
        yield emulator


def counts(system: System) -> list[tuple]:
    return system.channel.rows("select source_count, extracted_count from landing.delivery")


@pytest.mark.parametrize("fault", ["500", "429", "error in a 200", "broken JSON"])
def test_every_request_that_fails_once_leaves_nothing_out(
    system: System, emulator: Emulator, waits: list[float], fault: str
) -> None:
    given = {
        "500": Fault(status=500),
        "429": Fault(status=429, headers={"Retry-After": "7"}),
        "error in a 200": Fault(body=system.error_in_200),
        "broken JSON": Fault(body=b'{"result": [{"id": "1", "words": "cut'),
    }[fault]
    is_of_json = given.status == 200
    exempt = system.answers_of_no_json if is_of_json else ()
    emulator.first = lambda path: None if path.endswith(exempt) else given
    for _ in range(2):
        system.channel.run()
        system.channel.assert_shows(system.question, system.truth)
        # In the middle of what was there before.
        system.say(2, "The nurse was rude", NOON + timedelta(hours=6))
    assert all(counted in (None, extracted) for counted, extracted in counts(system))
    assert len(waits) >= 2
    assert fault != "429" or 7.0 in waits


def test_records_that_are_shown_again_are_no_new_delivery(system: System, emulator: Emulator) -> None:
    system.channel.run()
    deliveries = counts(system)
    with connect(system.channel.settings, "test") as connection:
        connection.execute("delete from landing.source_cursor")
    assert system.channel.run() == 0
    assert counts(system) == deliveries
    system.channel.assert_shows(system.question, system.truth)


@pytest.mark.parametrize("skew", [SKEW, -SKEW], ids=["ahead", "behind"])
def test_clock_that_is_two_hours_off_loses_nothing(
    system: System, emulator: Emulator, skew: timedelta
) -> None:
    now = datetime.now(UTC)
    system.say(6, "Stamped by a clock that was right", now)
    system.channel.run()
    system.say(7, "Stamped by a clock that is off", now + skew)
    system.say(6, "Edited by a clock that is off", now + skew)
    system.channel.run()
    system.channel.assert_shows(system.question, system.truth)
    # The clock is put right.
    for number in (6, 7):
        system.say(number, f"Edited by a clock that is right again {number}", now)
    assert system.channel.run() == 2
    system.say(8, "Stamped by a clock that is right again", now)
    assert system.channel.run() == 1
    system.channel.assert_shows(system.question, system.truth)
    assert system.channel.run() == 0


@pytest.mark.parametrize("ahead", [timedelta(hours=4), timedelta(days=30), timedelta(days=60)], ids=str)
def test_stamp_from_the_future_hides_nothing_that_comes_until_then(
    system: System, emulator: Emulator, ahead: timedelta
) -> None:
    now = datetime.now(UTC)
    for number in range(6, 9):
        system.say(number, f"Said some days ago {number}", now - timedelta(days=number - 5))
    system.say(20, "Stamped by a clock that is ahead", now + ahead)
    system.channel.run()
    system.say(7, "Edited meanwhile", now - timedelta(minutes=5))
    system.say(21, "Said meanwhile", now)
    assert system.channel.run() == 2
    system.channel.assert_shows(system.question, system.truth)
    assert system.channel.run() == 0


def test_stamp_from_the_future_hides_nothing_of_a_system_whose_clock_is_late(
    system: System, emulator: Emulator, waits: list[float]
) -> None:
    there = datetime.now(UTC) - timedelta(hours=6)
    late = Fault(status=500, headers={"Date": format_datetime(there, usegmt=True)})
    emulator.first = lambda path: late
    system.say(20, "Stamped by a clock that is ahead", there + timedelta(days=60))
    system.channel.run()
    system.say(21, "Said by the clock that is late", there + timedelta(minutes=5))
    assert system.channel.run() == 1
    system.channel.assert_shows(system.question, system.truth)


def test_cursor_that_was_left_in_the_future_is_read_as_the_moment_when_it_was_kept(
    system: System, emulator: Emulator
) -> None:
    system.say(6, "Said just now", datetime.now(UTC))
    system.channel.run()
    with connect(system.channel.settings, "test") as connection:
        connection.execute(
            "update landing.source_cursor set position = regexp_replace(position::text, '20[0-9]{2}-', '2099-')::jsonb"
        )
    system.say(7, "Said since", datetime.now(UTC))
    assert system.channel.run() == 1
    assert "2099" not in str(system.channel.cursor)


DAYS = {
    "2026-03-28T23:30": "2026-03-28",
    # An hour later in London from here on.
    "2026-03-29T23:30": "2026-03-30",
    "2026-10-24T23:30": "2026-10-25",
    # Both are half past one there.
    "2026-10-25T00:30": "2026-10-25",
    "2026-10-25T01:30": "2026-10-25",
    "2026-10-25T23:30": "2026-10-25",
}


def test_feedback_at_the_change_of_clocks_is_read_and_counts_on_its_local_day(
    system: System, emulator: Emulator
) -> None:
    for number, given in enumerate(DAYS, start=10):
        system.say(number, f"Said at {given}", datetime.fromisoformat(given).replace(tzinfo=UTC))
        system.channel.run()
    system.channel.assert_shows(system.question, system.truth)
    days = system.channel.days
    assert [days[system.ref(number)] for number in range(10, 10 + len(DAYS))] == list(DAYS.values())
