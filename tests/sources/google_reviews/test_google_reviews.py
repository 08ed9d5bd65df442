"""Google Business reviews: whatever happens to the list, the warehouse ends with what it shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from channel import Channel, declare, utc
from emulators.google_reviews import CLIENT_ID, CLIENT_SECRET, PLACE, GoogleReviews
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection
from patient_feedback.sources.google_reviews import original_words, payload


@pytest.fixture
def site() -> GoogleReviews:
    """Five reviews a month apart, the newest last."""
    site = GoogleReviews()
    for number in range(1, 6):
        site.put(f"r{number}", f"The nurse was kind {number}", f"2026-0{number}-1{number}T09:00:00Z")
    return site


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, emulator: Emulator, site: GoogleReviews) -> Channel:
    request = {"place": PLACE, "page_size": 2, "requests_per_second": 1000, "timeout_seconds": 2}
    source = declare(tmp_path, "reviews", "google_reviews", request=request)
    connection = SourceConnection(
        "reviews_system", f"{emulator.url}/v4", CLIENT_ID, CLIENT_SECRET, site.extra(emulator.url)
    )
    return Channel(warehouse, source, connection)


def truth(site: GoogleReviews) -> dict[str, str]:
    return {key: review["comment"] for key, review in site.reviews.items() if "comment" in review}


def stars(channel: Channel) -> dict[str, float | None]:
    return dict(
        channel.rows(
            "select source_record_ref, value_number from feedback.answer inner join feedback.response using (response_id)"
        )
    )


def counts(channel: Channel) -> list[tuple]:
    return channel.rows("select source_count, extracted_count from landing.delivery order by landed_at")


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, site: GoogleReviews) -> None:
    assert channel.run() == 5
    channel.assert_shows("review", truth(site))
    assert channel.days == {f"r{number}": f"2026-0{number}-1{number}" for number in range(1, 6)}
    assert counts(channel) == [(5, 5)]
    assert channel.run() == 0
    assert len(channel.rows("select from landing.delivery")) == 1


def test_id_that_postgres_cannot_hold_stops_no_review_and_withdraws_none(
    channel: Channel, site: GoogleReviews
) -> None:
    site.put("r\x006", "Under an odd id", "2026-05-16T09:00:00Z")
    assert channel.run() == 6
    assert channel.run() == 0
    assert sorted(channel.said("review").values()) == sorted(truth(site).values())
    assert not channel.withdrawn
    site.remove("r\x006")
    channel.run()
    assert channel.withdrawn == {"r\N{REPLACEMENT CHARACTER}6"}


def test_run_stops_reading_where_nothing_can_be_new(channel: Channel, emulator: Emulator) -> None:
    channel.run()
    emulator.requests.clear()
    channel.run()
    # r5 is within the time in which replies come, r4 ends the reading; three more are on further pages.
    assert len([one for one in emulator.requests if "/reviews" in one]) == 1


def test_edited_review_shows_its_latest_words_and_stays_in_its_period(
    channel: Channel, site: GoogleReviews
) -> None:
    channel.run()
    site.put("r1", "The nurse was rude", "2026-01-11T09:00:00Z", updated="2026-05-20T09:00:00Z", stars="ONE")
    assert channel.run() == 1
    channel.assert_shows("review", truth(site))
    assert channel.days["r1"] == "2026-01-11"
    assert stars(channel)["r1"] == 1


def test_words_edited_and_put_back_are_shown_as_they_stand(channel: Channel, site: GoogleReviews) -> None:
    channel.run()
    first = site.reviews["r3"]["comment"]
    for day, words in ((21, "Something else"), (22, first)):
        site.put("r3", words, "2026-03-13T09:00:00Z", updated=f"2026-05-{day}T09:00:00Z")
        channel.run()
        assert channel.said("review")["r3"] == words


def test_review_that_was_released_late_is_found_by_the_count(channel: Channel, site: GoogleReviews) -> None:
    channel.run()
    site.put("r20", "Held back for a while", "2026-02-20T09:00:00Z")
    assert channel.run() == 1
    channel.assert_shows("review", truth(site))
    assert channel.days["r20"] == "2026-02-20"


def test_reply_that_comes_later_is_noted(channel: Channel, site: GoogleReviews) -> None:
    for day in (16, 17, 18):
        site.put(f"d{day}", "A review of later days", f"2026-05-{day}T09:00:00Z")
    channel.run()
    reply = {"comment": "Dear Must Not Land, thank you", "updateTime": "2026-05-17T10:00:00Z"}
    site.put("r5", "The nurse was kind 5", "2026-05-15T09:00:00Z", reviewReply=reply)
    assert channel.run() == 1
    [(noted,)] = channel.rows("select source_metadata from feedback.response where source_record_ref = 'r5'")
    assert (noted["is_replied"], noted["replied_at"]) == ("true", "2026-05-17T10:00:00+00:00")
    channel.assert_shows("review", truth(site))


@pytest.mark.parametrize("key", ["r1", "r5"])
def test_removed_review_is_withdrawn_with_its_words(channel: Channel, site: GoogleReviews, key: str) -> None:
    channel.run()
    site.remove(key)
    assert channel.run() == 1
    assert channel.withdrawn == {key}
    channel.assert_shows("review", truth(site))
    assert not channel.rows(
        "select from restricted.comment_original where original_text = %s", f"The nurse was kind {key[1]}"
    )
    assert channel.run() == 0


def test_removal_is_found_though_another_review_came(channel: Channel, site: GoogleReviews) -> None:
    channel.run()
    site.remove("r2")
    site.put("r9", "New", "2026-05-20T09:00:00Z")
    assert channel.run() == 2
    assert channel.withdrawn == {"r2"}
    channel.assert_shows("review", truth(site))


def test_review_that_is_shown_again_stands_again(channel: Channel, site: GoogleReviews) -> None:
    channel.run()
    taken = site.reviews.pop("r2")
    channel.run()
    site.reviews["r2"] = taken
    assert channel.run() == 1
    assert channel.withdrawn == set()
    channel.assert_shows("review", truth(site))


def test_page_that_shifts_while_it_is_read_loses_nothing(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    def shift() -> None:
        site.remove("r5")

    # Between the first page and the second: what was third is second now, and on neither.
    emulator.faults = [Fault(path="/reviews", before=lambda: None), Fault(path="/reviews", before=shift)]
    channel.run()
    assert "r3" in channel.said("review")
    channel.run()
    channel.assert_shows("review", truth(site))
    assert channel.withdrawn == {"r5"}


def test_review_edited_while_the_list_is_read_is_not_taken_for_gone(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    channel.run()
    site.remove("r4")

    def edit() -> None:
        site.put("r1", "The nurse was rude", "2026-01-11T09:00:00Z", updated="2026-05-21T09:00:00Z")

    # It moves from the last page, not read yet, to the first, read already.
    emulator.faults = [Fault(path="/reviews", before=lambda: None) for _ in range(2)]
    emulator.faults.append(Fault(path="/reviews", before=edit))
    channel.run()
    assert channel.withdrawn == {"r4"}
    channel.assert_shows("review", truth(site))
    assert not channel.rows(
        "select from landing.record where payload ->> '__withdrawn__' = 'true' and payload ->> 'id' = 'r1'"
    )


def test_list_that_is_empty_by_mistake_withdraws_nothing(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    for number in range(100, 130):
        site.put(f"r{number}", f"Words {number}", f"2026-05-11T09:00:{number - 100:02}Z")
    channel.run()
    emulator.faults = [Fault(body=b"{}", path="/reviews") for _ in range(3)]
    with pytest.raises(FeedbackError, match="35 of the 35"):
        channel.run()
    assert channel.withdrawn == set()
    assert channel.run() == 0


def test_count_that_disagrees_with_the_list_is_kept_beside_it(channel: Channel, site: GoogleReviews) -> None:
    site.uncounted = 1
    channel.run()
    channel.assert_shows("review", truth(site))
    assert counts(channel) == [(6, 5)]
    assert channel.run() == 0
    site.remove("r2")
    assert channel.run() == 1
    assert channel.withdrawn == {"r2"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, path="/reviews"),
        Fault(status=503, path="/token"),
        Fault(body=b'{"access_tok', path="/token"),
        Fault(body=b'{"error": {"code": 503, "message": "UNAVAILABLE"}}', path="/reviews"),
        Fault(body=b'{"reviews": [{"reviewId": "r1"}], "totalReviewCount": 1}', path="/reviews"),
        Fault(body=b'{"reviews": [{"reviewId": "r1", "comm', path="/reviews"),
        Fault(body=b"[]", path="/reviews"),
        Fault(delay_seconds=3.0, path="/reviews"),
    ],
    ids=[
        "500",
        "token 503",
        "token cut",
        "error in a 200",
        "cut review",
        "broken JSON",
        "a list",
        "time-out",
    ],
)
def test_fault_that_passes_is_met_with_another_try(
    channel: Channel, site: GoogleReviews, emulator: Emulator, fault: Fault
) -> None:
    emulator.faults = [fault]
    channel.run()
    channel.assert_shows("review", truth(site))


def test_storm_of_429_waits_as_long_as_the_site_asks(
    channel: Channel, site: GoogleReviews, emulator: Emulator, waits: list[float]
) -> None:
    emulator.faults = [Fault(status=429, headers={"Retry-After": "7"}, path="/reviews") for _ in range(4)]
    channel.run()
    assert waits == [7.0] * 4
    channel.assert_shows("review", truth(site))


def test_site_that_stays_away_in_the_middle_leaves_nothing_half_done(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    emulator.faults = [Fault(path="/reviews", before=lambda: None)]
    emulator.faults += [Fault(status=500, path="/reviews") for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="reviews"):
        channel.run()
    assert channel.cursor is None
    assert not channel.rows("select from landing.delivery")
    channel.run()
    channel.assert_shows("review", truth(site))


def test_access_that_runs_out_in_the_middle_is_renewed(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    emulator.faults = [
        Fault(path="/reviews", before=lambda: None),
        Fault(path="/reviews", before=site.end_access),
    ]
    channel.run()
    channel.assert_shows("review", truth(site))
    assert len([one for one in emulator.requests if "/token" in one]) == 2


def test_access_that_is_refused_again_names_the_connection(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    emulator.faults = [Fault(path="/reviews", before=site.end_access) for _ in range(2)]
    with pytest.raises(FeedbackError, match="reviews_system"):
        channel.run()


def test_page_token_that_expires_begins_the_list_again_once(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    still = Fault(path="/reviews", before=lambda: None)
    ended = Fault(path="/reviews", before=site.end_pages)
    emulator.faults = [still, ended]
    channel.run()
    channel.assert_shows("review", truth(site))
    assert counts(channel) == [(5, 5)]


def test_page_token_that_expires_again_ends_the_run(
    channel: Channel, site: GoogleReviews, emulator: Emulator
) -> None:
    still = Fault(path="/reviews", before=lambda: None)
    ended = Fault(path="/reviews", before=site.end_pages)
    emulator.faults = [still, ended, still, ended]
    with pytest.raises(FeedbackError, match="answers 400"):
        channel.run()
    channel.run()
    channel.assert_shows("review", truth(site))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong-secret"}, "refresh_token"),
        ({"login": ""}, "login"),
        ({"password": ""}, "no password"),
        ({"extra": {"refresh_token": "wrong-refresh"}}, "token_url"),
    ],
)
def test_connection_that_is_refused_is_named_and_never_its_secrets(
    channel: Channel, changed: dict, said: str
) -> None:
    channel.connection = replace(channel.connection, **changed)
    with pytest.raises(FeedbackError, match="reviews_system") as raised:
        channel.run()
    assert said in str(raised.value)
    assert not any(secret in str(raised.value) for secret in ("wrong-secret", "wrong-refresh", CLIENT_SECRET))


def test_nobody_who_reviewed_and_no_word_of_a_reply_lands(channel: Channel, site: GoogleReviews) -> None:
    reply = {"comment": "Dear Must Not Land", "updateTime": "2026-05-17T10:00:00Z"}
    media = [{"thumbnailUrl": "https://example.org/must-not-land.jpg"}]
    anonymous = {"displayName": "Must Not Land", "isAnonymous": True}
    site.put(
        "r7", "Fine", "2026-05-11T09:00:00Z", reviewReply=reply, reviewMediaItems=media, reviewer=anonymous
    )
    channel.run()
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    landed = Path(url.removeprefix("file://")).read_bytes().lower()
    assert b"must not land" not in landed
    assert b"must-not-land" not in landed
    assert not channel.rows("select from landing.record where payload::text ilike '%%must_not_land%%'")
    anonymous_by_ref = dict(
        channel.rows("select source_record_ref, source_metadata ->> 'is_anonymous' from feedback.response")
    )
    assert (anonymous_by_ref["r7"], anonymous_by_ref["r1"]) == ("true", "false")


def test_star_words_are_numbers_and_a_review_without_words_counts(
    channel: Channel, site: GoogleReviews
) -> None:
    for number, word in enumerate(("ONE", "TWO", "THREE", "FOUR", "FIVE"), start=1):
        site.put(f"s{number}", None, "2026-05-11T09:00:00Z", stars=word)
    site.put("s0", None, "2026-05-11T09:00:00Z", stars="STAR_RATING_UNSPECIFIED")
    channel.run()
    found = stars(channel)
    assert [found[f"s{number}"] for number in range(1, 6)] == [1, 2, 3, 4, 5]
    assert found["s0"] is None
    assert channel.rows("select comment_state from feedback.comment where source_record_ref = 's1'") == [
        ("blank",)
    ]
    assert not channel.rows("select from landing.candidate_answer where not is_documented")


@pytest.mark.parametrize(
    ("comment", "original"),
    [
        ("(Translated by Google) Very kind.\n\n(Original)\nSehr nett.\nDanke!", "Sehr nett.\nDanke!"),
        ("Sehr nett.\nDanke!\n\n(Translated by Google)\nVery kind.\nThanks!", "Sehr nett.\nDanke!"),
        (
            "The leaflet (Translated by Google) was (Original) odd",
            "The leaflet (Translated by Google) was (Original) odd",
        ),
        ("(Translated by Google) Very kind.", "(Translated by Google) Very kind."),
        ("Plain words", "Plain words"),
        (None, None),
    ],
)
def test_translated_comment_keeps_the_words_of_the_patient(comment: str | None, original: str | None) -> None:
    assert original_words(comment) == original


def test_whatever_was_landed_has_columns() -> None:
    assert payload({}).keys() == payload({"reviewId": "r1", "reviewer": None, "reviewReply": {}}).keys()
    assert payload({"reviewReply": {}})["is_replied"] is True


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    channel.run(window=(utc("2026-02-01"), utc("2026-04-01")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel, site: GoogleReviews) -> None:
    channel.run(window=(utc("2026-02-12T09:00:00"), utc("2026-04-14T09:00:00")))
    assert set(channel.said("review")) == {"r2", "r3"}
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("review", truth(site))


def test_review_at_the_change_of_clocks_counts_on_its_local_day(
    channel: Channel, site: GoogleReviews
) -> None:
    site.put("w", "Before midnight in winter", "2026-03-28T23:30:00.123456789Z")
    site.put("s", "After midnight in summer", "2026-03-29T23:30:00Z")
    channel.run()
    assert (channel.days["w"], channel.days["s"]) == ("2026-03-28", "2026-03-30")
