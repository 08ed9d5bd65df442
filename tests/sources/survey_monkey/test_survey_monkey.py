"""SurveyMonkey: whatever happens to the survey and its responses, the warehouse ends with what the site shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from channel import Channel, declare, utc
from emulators.server import Emulator, Fault
from emulators.survey_monkey import ASPECTS, KEY, OVERALL, REASONS, SURVEY_ID, WHY, SurveyMonkey

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import SourceConnection
from patient_feedback.sources.survey_monkey import payload

STARS = {"instrument": "aspects", "version": "1", "codes": {"1": 1, "2": 2, "3": 3}}
MAPPING = {
    "record_ref": "id",
    "submitted_on": {
        "column": "date_created",
        "formats": ["%Y-%m-%dT%H:%M:%S%z"],
        "timezone": "Europe/London",
    },
    "service": {"column": "custom.ward"},
    "channel": {"constant": "web"},
    "rating": {
        "column": f"q.{OVERALL}",
        "instrument": "fft",
        "version": "2020",
        "item": "overall",
        "codes": {"Very good": 5, "Good": 4, "Neither": 3, "Poor": 2, "Very poor": 1, "Don't know": None},
    },
    "answers": [
        {"column": f"q.{ASPECTS}.131", "item": "kindness", **STARS},
        {"column": f"q.{ASPECTS}.132", "item": "cleanliness", **STARS},
    ],
    "comments": [
        {
            "column": f"q.{WHY}",
            "question": {
                "column": f"heading.{WHY}",
                "values": {"Why did you say so?": {"slug": "why", "intent": "open"}},
            },
        },
        {"column": f"q.{REASONS}.other", "question": {"slug": "other_reason", "intent": "open"}},
    ],
    "metadata": {"status": "response_status", "reasons": f"q.{REASONS}", "language": "language"},
}


@pytest.fixture
def site() -> SurveyMonkey:
    site = SurveyMonkey()
    for number in range(1, 8):
        site.put(number, f"The nurse was kind {number}", f"2026-03-0{number}T09:00:00+00:00")
    return site


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, emulator: Emulator) -> Channel:
    request = {"survey": SURVEY_ID, "page_size": 3, "requests_per_second": 1000, "timeout_seconds": 2}
    source = declare(tmp_path, "survey", "survey_monkey", request=request, mapping=MAPPING)
    return Channel(warehouse, source, SourceConnection("survey_system", f"{emulator.url}/v3", "", KEY))


def truth(site: SurveyMonkey) -> dict[str, str]:
    """Return the words of each response, as its answers lie in the site."""
    return {
        key: answer["text"]
        for key, response in site.responses.items()
        for question in response["pages"][0]["questions"]
        for answer in question["answers"]
        if question["id"] == WHY
    }


def metadata(channel: Channel, ref: str) -> dict[str, Any]:
    [(found,)] = channel.rows(
        "select source_metadata from feedback.response where source_record_ref = %s", ref
    )
    return found


def answers(channel: Channel, ref: str) -> dict[str, tuple]:
    return {
        item: (code, number)
        for item, code, number in channel.rows(
            "select item_slug, value_code, value_number from feedback.answer "
            "inner join feedback.response using (response_id) where source_record_ref = %s",
            ref,
        )
    }


def deliveries(channel: Channel, columns: str) -> list[tuple]:
    return channel.rows(f"select {columns} from landing.delivery order by landed_at, file_name")


def test_first_load_brings_all_and_a_second_run_nothing(
    channel: Channel, site: SurveyMonkey, emulator: Emulator
) -> None:
    assert channel.run() == 7
    channel.assert_shows("why", truth(site))
    assert deliveries(channel, "source_count, extracted_count, missing_columns") == [(7, 7, [])]
    emulator.requests.clear()
    assert channel.run() == 0
    assert len(deliveries(channel, "delivery_id")) == 1
    # Of 500 a day: what changed, what the survey asks, and how many there are.
    assert len(emulator.requests) == 3


def test_ids_become_words(channel: Channel, site: SurveyMonkey) -> None:
    given = [{"choice_id": "143"}, {"other_id": "149", "text": "The parking"}]
    site.put(
        8, "Too dear", "2026-03-08T09:00:00+00:00", answers={OVERALL: [{"choice_id": "104"}], REASONS: given}
    )
    channel.run()
    assert answers(channel, "8") == {"overall": ("Poor", 2), "kindness": ("3", 3), "cleanliness": ("1", 1)}
    assert channel.said("other_reason")["8"] == "The parking"
    assert metadata(channel, "8") == {
        "status": "completed",
        "reasons": ["Food", "Another reason"],
        "language": "en",
    }
    assert metadata(channel, "1")["reasons"] == ["Waiting", "Staff"]
    assert channel.rows("select distinct service_slug from feedback.response") == [("ward_3",)]


def test_late_response_counts_in_its_own_period(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    site.put(20, "Sent late", "2026-03-07T10:00:00+00:00", created="2026-02-20T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.days["20"] == "2026-02-20"


def test_response_that_no_listing_showed_is_found_by_the_count(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    site.put(20, "Stamped long ago", "2026-02-20T09:00:00+00:00")
    assert channel.run() == 1
    channel.assert_shows("why", truth(site))
    assert channel.run() == 0


def test_edited_response_shows_its_latest_words(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    first = truth(site)["2"]
    for hour, words in ((10, "The nurse was rude"), (11, first)):
        site.answer(2, WHY, [{"text": words}], f"2026-03-07T{hour}:00:00+00:00")
        assert channel.run() == 1
        channel.assert_shows("why", truth(site))
        assert channel.said("why")["2"] == words
    assert channel.days["2"] == "2026-03-02"


def test_partial_response_is_taken_and_replaced_when_it_is_completed(
    channel: Channel, site: SurveyMonkey
) -> None:
    channel.run()
    site.put(9, "", "2026-03-09T09:00:00+00:00", response_status="partial")
    site.answer(9, WHY, [], "2026-03-09T09:00:00+00:00")
    site.answer(9, ASPECTS, [{"row_id": "131", "choice_id": "136"}], "2026-03-09T09:00:00+00:00")
    assert channel.run() == 1
    # A question that nobody has answered yet is no column that is missing.
    assert deliveries(channel, "missing_columns")[-1] == ([],)
    assert metadata(channel, "9")["status"] == "partial"
    assert answers(channel, "9")["kindness"] == ("2", 2)
    site.answer(9, WHY, [{"text": "Now I know why"}], "2026-03-09T12:00:00+00:00")
    site.responses["9"]["response_status"] = "completed"
    assert channel.run() == 1
    assert metadata(channel, "9")["status"] == "completed"
    channel.assert_shows("why", truth(site))
    assert channel.days["9"] == "2026-03-09"


def test_deleted_response_is_withdrawn_with_its_words(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    site.remove(2)
    assert channel.run() == 1
    assert channel.withdrawn == {"2"}
    channel.assert_shows("why", truth(site))
    assert not channel.rows("select from restricted.comment_original where original_text like '%%kind 2'")
    assert channel.run() == 0


def test_deletion_is_found_though_another_response_came(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    site.remove(2)
    site.put(8, "New", "2026-03-08T09:00:00+00:00")
    assert channel.run() == 2
    assert channel.withdrawn == {"2"}
    channel.assert_shows("why", truth(site))


def test_ids_that_shift_while_they_are_read_withdraw_nobody(
    channel: Channel, site: SurveyMonkey, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patient_feedback.sources.survey_monkey.LARGEST_ID_PAGE", 2)
    channel.run()
    site.remove(7)

    def shift() -> None:
        site.remove(1)

    emulator.faults = [Fault(path="/responses", before=lambda: None), Fault(path="/responses", before=shift)]
    channel.run()
    assert channel.withdrawn == {"1", "7"}
    channel.assert_shows("why", truth(site))


def test_survey_that_is_empty_by_mistake_withdraws_nothing(
    channel: Channel, site: SurveyMonkey, emulator: Emulator
) -> None:
    for number in range(100, 130):
        site.put(number, f"Words {number}", f"2026-03-08T09:00:{number - 100:02}+00:00")
    channel.run()
    emulator.faults = [Fault(body=b'{"data": [], "total": 0, "links": {}}', path="/responses")]
    with pytest.raises(FeedbackError, match="37 of the 37"):
        channel.run()
    assert channel.withdrawn == set()
    assert channel.run() == 0


@pytest.mark.parametrize("shifted", ["removed", "edited", "added"])
def test_page_that_shifts_while_it_is_read_loses_nothing(
    channel: Channel, site: SurveyMonkey, emulator: Emulator, shifted: str
) -> None:
    def shift() -> None:
        if shifted == "removed":
            site.remove(1)
        elif shifted == "added":
            site.put(8, "Came while reading", "2026-03-08T09:00:00+00:00")
        else:
            site.answer(1, WHY, [{"text": "Thought again"}], "2026-03-09T09:00:00+00:00")

    # After the first page: by numbers of pages the fourth would stand on the first.
    emulator.faults = [Fault(path="/bulk", before=lambda: None), Fault(path="/bulk", before=shift)]
    channel.run()
    assert "4" in channel.said("why")
    assert all(
        counted == extracted for counted, extracted in deliveries(channel, "source_count, extracted_count")
    )
    channel.run()
    channel.assert_shows("why", truth(site))


def test_more_changes_at_one_moment_than_a_page_holds_are_all_read(
    channel: Channel, site: SurveyMonkey
) -> None:
    for number in range(10, 20):
        site.put(number, f"Imported {number}", "2026-03-04T12:00:00+00:00")
    channel.run()
    channel.assert_shows("why", truth(site))
    assert deliveries(channel, "source_count, extracted_count") == [(17, 17)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, path="/bulk"),
        Fault(status=502, path="/details"),
        Fault(body=b'{"error": {"id": "1050", "message": "Internal Server Error"}}', path="/bulk"),
        Fault(body=b'{"error": {"id": "1050", "message": "Internal Server Error"}}', path="/details"),
        Fault(body=b'{"data": [{"id": "1"}], "total": 1}', path="/bulk"),
        Fault(body=b'{"data": [{"id": "1", "pag', path="/bulk"),
        Fault(body=b'"Sorry"', path="/responses"),
        Fault(delay_seconds=3.0, path="/bulk"),
    ],
    ids=["500", "502", "error in a 200", "error for details", "cut", "broken JSON", "a text", "time-out"],
)
def test_fault_that_passes_is_met_with_another_try(
    channel: Channel, site: SurveyMonkey, emulator: Emulator, fault: Fault
) -> None:
    emulator.faults = [fault]
    channel.run()
    channel.assert_shows("why", truth(site))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-Ratelimit-App-Global-Minute-Reset": "23", "X-Ratelimit-App-Global-Day-Remaining": "400"}, 23.0),
        ({"Retry-After": "7"}, 7.0),
    ],
    ids=["minute", "Retry-After"],
)
def test_storm_of_429_waits_until_the_minute_is_over(
    channel: Channel,
    site: SurveyMonkey,
    emulator: Emulator,
    waits: list[float],
    headers: dict[str, str],
    seconds: float,
) -> None:
    emulator.faults = [Fault(status=429, headers=headers) for _ in range(4)]
    channel.run()
    assert waits == [seconds] * 4
    channel.assert_shows("why", truth(site))


def test_day_whose_requests_are_used_up_keeps_what_came_and_the_next_goes_on(
    channel: Channel, site: SurveyMonkey, waits: list[float]
) -> None:
    for number in range(100, 160):
        site.put(number, f"Words {number}", f"2026-03-08T09:{number - 100:02}:00+00:00")
    site.requests_left = 15
    with pytest.raises(PlaceUnavailableError, match="in 121 minutes"):
        channel.run()
    assert waits == []
    cursor = channel.cursor
    assert cursor is not None
    assert len(deliveries(channel, "delivery_id")) == 1
    site.requests_left = None
    channel.run()
    channel.assert_shows("why", truth(site))
    assert all(
        counted in (None, extracted)
        for counted, extracted in deliveries(channel, "source_count, extracted_count")
    )


def test_site_that_stays_away_in_the_middle_leaves_nothing_half_done(
    channel: Channel, site: SurveyMonkey, emulator: Emulator
) -> None:
    emulator.faults = [Fault(path="/bulk", before=lambda: None)]
    emulator.faults += [Fault(status=500, path="/bulk") for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="survey"):
        channel.run()
    assert channel.cursor is None
    assert not deliveries(channel, "delivery_id")
    channel.run()
    channel.assert_shows("why", truth(site))


def test_response_that_is_counted_and_not_shown_is_a_difference(channel: Channel, site: SurveyMonkey) -> None:
    site.unlisted = {"4"}
    channel.run()
    assert deliveries(channel, "source_count, extracted_count")[0] == (7, 6)
    # Its id is listed all the same, and it is fetched by that.
    channel.assert_shows("why", truth(site))


def test_refused_key_names_the_connection_and_never_the_key(channel: Channel) -> None:
    channel.connection = SourceConnection("survey_system", channel.connection.url, "", "wrong-key")
    with pytest.raises(FeedbackError, match="survey_system") as raised:
        channel.run()
    assert "wrong-key" not in str(raised.value)


def test_link_to_another_host_gets_no_key(channel: Channel, emulator: Emulator) -> None:
    page = b'{"data": [], "total": 7, "links": {"next": "http://localhost:1/v3/surveys?page=2"}}'
    emulator.faults = [Fault(body=page, path="/bulk")]
    with pytest.raises(FeedbackError, match="not sent there"):
        channel.run()


def test_nobody_who_answered_is_landed(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    [(url,)] = deliveries(channel, "landing_url")
    landed = Path(url.removeprefix("file://")).read_bytes().lower()
    for planted in (
        b"must not land",
        b"must.not.land",
        b"must-not-land",
        b"203.0.113.77",
        b"hospital_number",
    ):
        assert planted not in landed
    assert not channel.rows(
        "select from landing.record where payload::text ilike '%%must_not_land%%' or payload::text like '%%203.0.113%%'"
    )


def test_question_that_the_declaration_ignores_is_not_landed(
    channel: Channel, site: SurveyMonkey, tmp_path: Path
) -> None:
    site.questions.append({"id": "17", "headings": [{"heading": "Your name?"}], "family": "open_ended"})
    site.put(8, "Fine", "2026-03-08T09:00:00+00:00", answers={"17": [{"text": "Must Not Land"}]})
    request = channel.source.request.model_dump(exclude_defaults=True)
    channel.source = declare(
        tmp_path, "survey", "survey_monkey", request=request, mapping=MAPPING, ignore_columns=["q.17"]
    )
    channel.run()
    [(url,)] = deliveries(channel, "landing_url")
    assert b"Must Not Land" not in Path(url.removeprefix("file://")).read_bytes()


def test_choice_that_came_while_responses_were_read_gets_its_words(
    channel: Channel, site: SurveyMonkey, emulator: Emulator
) -> None:
    def ask_for_more() -> None:
        site.question(OVERALL)["answers"]["choices"].append({"id": "107", "text": "Good", "position": 7})
        site.answer(7, OVERALL, [{"choice_id": "107"}], "2026-03-07T09:00:00+00:00")

    emulator.faults = [Fault(path="/bulk", before=lambda: None), Fault(path="/bulk", before=ask_for_more)]
    channel.run()
    assert answers(channel, "7")["overall"] == ("Good", 4)
    assert len([one for one in emulator.requests if f"{SURVEY_ID}/details" in one]) == 2


def test_choice_that_nobody_declared_or_knows_is_named_by_the_check_of_codes(
    channel: Channel, site: SurveyMonkey
) -> None:
    site.answer(1, OVERALL, [{"choice_id": "999"}], "2026-03-01T09:00:00+00:00")
    site.question(OVERALL)["answers"]["choices"].append({"id": "108", "text": "Splendid", "position": 8})
    site.answer(2, OVERALL, [{"choice_id": "108"}], "2026-03-02T09:00:00+00:00")
    channel.run()
    assert set(
        channel.rows("select item_slug, value_code from landing.candidate_answer where not is_documented")
    ) == {("overall", "unknown choice 999"), ("overall", "Splendid")}


def test_changed_question_text_is_no_declared_question_any_more(channel: Channel, site: SurveyMonkey) -> None:
    channel.run()
    site.question(WHY)["headings"][0]["heading"] = "What could be better?"
    site.put(8, "The food", "2026-03-08T09:00:00+00:00")
    channel.run()
    assert channel.said("what_could_be_better")["8"] == "The food"
    assert "8" in {
        ref
        for (ref,) in channel.rows(
            "select source_record_ref from landing.candidate_comment where not is_question_declared"
        )
    }


def test_question_that_was_removed_is_a_missing_column_and_a_new_one_an_unknown(
    channel: Channel, site: SurveyMonkey
) -> None:
    channel.run()
    site.questions.append({"id": "18", "headings": [{"heading": "Anything else?"}], "family": "open_ended"})
    site.put(8, "Fine", "2026-03-08T09:00:00+00:00", answers={"18": [{"text": "No"}]})
    site.remove_question(OVERALL)
    channel.run()
    missing, unknown = deliveries(channel, "missing_columns, unknown_columns")[-1]
    assert missing == [f"q.{OVERALL}"]
    assert {"q.18", "heading.18"} <= set(unknown)


def test_words_of_a_question_that_the_details_do_not_name_do_not_land(
    channel: Channel, site: SurveyMonkey
) -> None:
    given = {"66": [{"text": "Must Not Land"}], "67": [{"choice_id": "671"}]}
    site.put(8, "Fine", "2026-03-08T09:00:00+00:00", answers=given)
    channel.run()
    [(landed,)] = channel.rows("select payload from landing.record where payload ->> 'id' = '8'")
    assert landed["q.67"] == "unknown choice 671"
    assert "Must Not Land" not in str(landed)


def test_matrix_of_columns_other_words_and_stars_have_columns_of_their_own() -> None:
    content = {
        "questions": [
            {
                "id": "1",
                "heading": "Rate",
                "answers": [
                    {"row_id": "2", "col_id": "3", "choice_id": "4", "choice": "Often"},
                    {"row_id": "2", "col_id": "5"},
                    {"other_id": "6", "text": "Because"},
                ],
            }
        ]
    }
    columns = payload(content)
    assert {name: value for name, value in columns.items() if name not in payload({})} == {
        "heading.1": "Rate",
        "q.1.2.3": "Often",
        "q.1.2.5": None,
        "q.1.other": "Because",
    }


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    channel.run(window=(utc("2026-03-02"), utc("2026-03-05")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel, site: SurveyMonkey) -> None:
    channel.run(window=(utc("2026-03-02T09:00:00"), utc("2026-03-05T09:00:00")))
    assert set(channel.said("why")) == {"2", "3", "4"}
    assert deliveries(channel, "source_count, extracted_count") == [(3, 3)]
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("why", truth(site))


def test_response_that_is_changed_while_it_is_read_is_landed_as_two_versions_apart(
    channel: Channel, site: SurveyMonkey, emulator: Emulator
) -> None:
    def edit() -> None:
        site.put(1, "Changed while reading", "2026-03-09T09:00:00+00:00", created="2026-03-01T09:00:00+00:00")

    emulator.faults = [
        Fault(path="/responses/bulk", before=lambda: None),
        Fault(path="/responses/bulk", before=edit),
    ]
    channel.run()
    channel.assert_shows("why", truth(site))
    versions = channel.rows(
        "select count(*), count(distinct delivery_id) from landing.candidate_record where source_record_ref = '1'"
    )
    assert versions == [(2, 2)]


def with_ward(channel: Channel, folder: Path, **ward: Any) -> Source:
    request = channel.source.request.model_dump(exclude_defaults=True)
    mapping = {name: field for name, field in MAPPING.items() if name != "service"}
    return declare(folder, "survey", "survey_monkey", request=request, mapping=mapping | ward)


def test_variable_that_is_mapped_later_is_read_of_every_response(
    channel: Channel, site: SurveyMonkey, tmp_path: Path
) -> None:
    channel.source = with_ward(channel, tmp_path)
    channel.run_gated()
    for number in range(100, 160):
        site.put(number, f"Words {number}", f"2026-03-08T09:{number - 100:02}:00+00:00")
    channel.run_gated()
    everything = truth(site)
    channel.source = with_ward(channel, tmp_path, service={"column": "custom.ward"})
    # The day's requests end within the new reading: until it is done, all stands as it was.
    site.requests_left = 15
    with pytest.raises(PlaceUnavailableError):
        channel.run_gated()
    channel.assert_shows("why", everything)
    site.requests_left = None
    channel.run_gated()
    channel.assert_shows("why", everything)
    assert channel.rows("select count(*) from feedback.response where service_name is null") == [(0,)]
