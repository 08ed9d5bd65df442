"""Care Opinion: whatever the site does, the warehouse ends with what it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from channel import Channel, declare, utc
from emulators.care_opinion import KEY, CareOpinion
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection
from patient_feedback.warehouse.connection import connect

CRITICALITY = "select value_code from feedback.answer where value_code is not null"


@pytest.fixture
def site() -> CareOpinion:
    site = CareOpinion()
    for number in range(1, 8):
        site.put(number, f"The nurse was kind {number}", f"2026-03-0{number}T09:00:00+00:00")
    return site


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, emulator: Emulator) -> Channel:
    request = {"page_size": 3, "requests_per_second": 1000, "timeout_seconds": 2}
    source = declare(tmp_path, "opinions", "care_opinion", request=request)
    return Channel(warehouse, source, SourceConnection("opinions_system", f"{emulator.url}/api/v2", "", KEY))


def truth(site: CareOpinion) -> dict[str, str]:
    return {number: opinion["body"] for number, opinion in site.opinions.items()}


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, site: CareOpinion) -> None:
    assert channel.run() == 7
    channel.assert_shows("story", truth(site))
    assert channel.run() == 0
    assert len(channel.rows("select from landing.delivery")) == 1


def test_late_record_counts_in_its_own_period(channel: Channel, site: CareOpinion) -> None:
    channel.run()
    site.put(20, "Said late", "2026-02-20T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.days["20"] == "2026-02-20"


def test_edited_opinion_shows_its_latest_words_and_its_new_tags(channel: Channel, site: CareOpinion) -> None:
    channel.run()
    site.put(5, "The nurse was rude", "2026-03-05T09:00:00+00:00", criticality="strongly critical")
    site.opinions["6"]["tags"] = [{"name": "kindness", "group": "what", "polarity": 1}]
    assert channel.run() == 2
    channel.assert_shows("story", truth(site))
    [(tags,)] = channel.rows(
        "select source_metadata -> 'positive_tags' from feedback.response where source_record_ref = '6'"
    )
    assert tags == ["kindness"]


def test_words_edited_and_put_back_are_shown_as_they_stand(channel: Channel, site: CareOpinion) -> None:
    channel.run()
    first = site.opinions["5"]["body"]
    for body in ("Something else", first):
        site.opinions["5"]["body"] = body
        channel.run()
    assert channel.said("story")["5"] == first


def test_opinion_that_was_taken_down_is_withdrawn_with_its_words(channel: Channel, site: CareOpinion) -> None:
    channel.run()
    site.remove(7)
    assert channel.run() == 1
    assert channel.withdrawn == {"7"}
    channel.assert_shows("story", truth(site))
    for table in ("restricted.comment_original", "landing.record", "landing.candidate_comment"):
        held = channel.rows(f"select t::text from {table} as t where t::text like '%kind %'")
        assert held, f"{table} must hold the words of the others"
        assert not any("kind 7" in text for (text,) in held)
    assert channel.run() == 0
    site.put(7, "The nurse was kind 7", "2026-03-07T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.withdrawn == set()
    channel.assert_shows("story", truth(site))


def test_opinion_that_is_taken_down_long_after_is_withdrawn_too(channel: Channel, site: CareOpinion) -> None:
    site.put(50, "Said long before", "2025-06-01T09:00:00+00:00")
    channel.run()
    site.remove(50)
    channel.run()
    assert channel.withdrawn == {"50"}
    channel.assert_shows("story", truth(site))


def test_old_opinion_that_is_edited_is_landed_once_and_others_are_not_asked_for(
    channel: Channel, site: CareOpinion, emulator: Emulator
) -> None:
    for number in (50, 51):
        site.put(number, f"Nurse Jane was kind {number}", "2025-06-01T09:00:00+00:00")
    channel.run()
    site.opinions["50"] |= {"body": "[a nurse] was kind", "criticality": "severely critical"}
    # Neither is read: it may change with every list.
    site.opinions["51"] |= {"author": "Another Name That Must Not Land", "views": 7}
    emulator.requests.clear()
    assert channel.run() == 1
    channel.assert_shows("story", truth(site))
    assert [code for (code,) in channel.rows(CRITICALITY)] == ["severely critical"]
    asked = [path.split("/opinions/")[1] for path in emulator.requests if path.endswith("/tags")]
    assert asked == ["7/tags", "6/tags", "5/tags", "4/tags", "3/tags", "2/tags", "1/tags", "50/tags"]
    assert channel.run() == 0


@pytest.mark.parametrize("title", [None, {"plain": "Story"}], ids=["gone", "another type"])
def test_list_that_changes_its_keys_has_no_old_opinion_asked_for(
    channel: Channel, site: CareOpinion, emulator: Emulator, title: object
) -> None:
    site.put(50, "Said long before", "2025-06-01T09:00:00+00:00")
    channel.run()
    for opinion in site.opinions.values():
        opinion |= {"title": title}
        if title is None:
            del opinion["title"]
    emulator.requests.clear()
    assert channel.run() == 7
    assert not any("/50/" in path for path in emulator.requests)


def test_old_opinion_of_which_no_list_was_noted_is_noted_without_a_delivery(
    channel: Channel, site: CareOpinion, emulator: Emulator
) -> None:
    site.put(50, "Said long before", "2025-06-01T09:00:00+00:00")
    channel.run()
    with connect(channel.settings, "test") as connection:
        connection.execute(
            "update landing.extracted_record set content_sha256 = split_part(content_sha256, '.', 1)"
        )
    assert channel.run() == 0
    emulator.requests.clear()
    assert channel.run() == 0
    assert not any("/50/" in path for path in emulator.requests)


def test_opinion_published_long_after_it_was_submitted_is_not_missed(
    channel: Channel, site: CareOpinion
) -> None:
    channel.run()
    site.put(51, "Published late", "2025-06-01T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.days["51"] == "2025-06-01"


def test_opinion_at_the_border_of_what_is_read_again_stays(channel: Channel, site: CareOpinion) -> None:
    site.put(52, "Thirty days before", "2026-02-05T09:00:00+00:00")
    channel.run()
    channel.run()
    assert channel.withdrawn == set()


def test_date_in_the_future_hides_nothing(channel: Channel, site: CareOpinion) -> None:
    site.put(60, "From the future", "2099-01-01T00:00:00+00:00")
    channel.run()
    site.put(3, "Edited after", "2026-03-03T09:00:00+00:00")
    site.put(61, "Said since", "2026-03-09T09:00:00+00:00")
    channel.run()
    assert channel.said("story")["61"] == "Said since"
    assert channel.cursor is not None
    assert channel.cursor["submitted_at"] < "2099"


def test_site_that_shows_nothing_by_mistake_withdraws_nothing(channel: Channel, site: CareOpinion) -> None:
    for number in range(100, 130):
        site.put(number, f"Well cared for {number}", "2026-03-06T09:00:00+00:00")
    channel.run()
    before, site.opinions = dict(site.opinions), {}
    with pytest.raises(FeedbackError, match="Nothing was withdrawn"):
        channel.run()
    site.opinions = before
    channel.assert_shows("story", truth(site))


def test_page_that_shifts_while_it_is_read_loses_nothing(
    channel: Channel, site: CareOpinion, emulator: Emulator
) -> None:
    def shift() -> None:
        site.put(30, "Came while reading", "2026-03-09T09:00:00+00:00")
        site.remove(6)

    emulator.faults = [Fault(path="/tags", before=shift)]
    channel.run()
    channel.run()
    channel.assert_shows("story", truth(site))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(body=b'"Sorry! Something went wrong."'),
        Fault(body=b"Sorry! Something went wrong."),
        Fault(body=json.dumps([{"id": 1}]).encode(), path="/opinions"),
        Fault(body=b'[{"id": 1, "body": "cut'),
        Fault(delay_seconds=3.0),
    ],
    ids=["500", "error in a 200", "error text", "elements with one key", "broken JSON", "time-out"],
)
def test_fault_that_passes_is_met_with_another_try(
    channel: Channel, site: CareOpinion, emulator: Emulator, fault: Fault
) -> None:
    emulator.faults = [fault]
    channel.run()
    channel.assert_shows("story", truth(site))


def test_storm_of_429_waits_as_long_as_the_site_asks(
    channel: Channel, site: CareOpinion, emulator: Emulator, waits: list[float]
) -> None:
    emulator.faults = [Fault(status=429, headers={"Retry-After": "7"}) for _ in range(4)]
    channel.run()
    assert waits == [7.0] * 4
    channel.assert_shows("story", truth(site))


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_moment_to_ask_again_is_by_the_clock_of_the_site(
    channel: Channel, site: CareOpinion, emulator: Emulator, waits: list[float], hours: int
) -> None:
    now = datetime.now(UTC) + timedelta(hours=hours)
    dates = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=7), usegmt=True),
    }
    emulator.faults = [Fault(status=429, headers=dates) for _ in range(4)]
    channel.run()
    assert waits == [7.0] * 4
    channel.assert_shows("story", truth(site))


def test_site_that_stays_away_leaves_nothing_half_done(
    channel: Channel, site: CareOpinion, emulator: Emulator
) -> None:
    emulator.faults = [Fault(status=500, path="/4/tags") for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="opinions"):
        channel.run()
    assert channel.cursor is None
    assert not channel.rows("select from landing.delivery")
    channel.run()
    channel.assert_shows("story", truth(site))


def test_refused_key_names_the_connection_and_never_the_key(channel: Channel) -> None:
    channel.connection = SourceConnection("opinions_system", channel.connection.url, "", "wrong-key")
    with pytest.raises(FeedbackError, match="opinions_system") as raised:
        channel.run()
    assert "wrong-key" not in str(raised.value)


@pytest.mark.parametrize("around", ["\n", "\r\n", "  ", "\u00a0"], ids=repr)
def test_white_space_around_a_key_is_none_of_it(channel: Channel, site: CareOpinion, around: str) -> None:
    channel.connection = replace(channel.connection, password=f"{around}{KEY}{around}")
    channel.run()
    channel.assert_shows("story", truth(site))


@pytest.mark.parametrize("sign", ["\u00e9", "\n", "\u201c", "\x00"], ids=ascii)
def test_key_that_cannot_be_one_is_named_by_its_connection_and_never_shown(
    channel: Channel, emulator: Emulator, sign: str
) -> None:
    channel.connection = replace(channel.connection, password=f"emul{sign}key")
    with pytest.raises(FeedbackError, match=r"opinions_system.* Copy it again") as raised:
        channel.run()
    assert "emul" not in str(raised.value)
    assert not emulator.requests


def test_author_never_lands(channel: Channel) -> None:
    channel.run()
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    assert b"Must Not Land" not in Path(url.removeprefix("file://")).read_bytes()
    assert not channel.rows("select from landing.record where payload::text like '%%Must Not Land%%'")


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel, site: CareOpinion) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    channel.run(window=(utc("2026-03-02"), utc("2026-03-05")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel) -> None:
    channel.run(window=(utc("2026-03-02"), utc("2026-03-05")))
    assert set(channel.said("story")) == {"2", "3", "4"}
    channel.run()
    assert set(channel.said("story")) == set("1234567")
