"""Qualtrics: whatever an export does, the warehouse ends with the responses that the survey shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from channel import Channel, declare, utc
from emulators.qualtrics import KEY, Qualtrics, zip_of, zipped
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.orchestration.candidates import map_delivery
from patient_feedback.orchestration.landing import land_source
from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection

MAPPING: dict[str, Any] = {
    "record_ref": "ResponseId",
    "submitted_on": {"column": "EndDate", "formats": ["%Y-%m-%dT%H:%M:%S%z"], "timezone": "Europe/London"},
    "service": {"column": "ward"},
    "channel": {"column": "DistributionChannel"},
    "rating": {
        "column": "Q1",
        "instrument": "ward_survey",
        "version": "1",
        "item": "overall",
        "codes": {str(code): code for code in range(1, 6)},
        "missing": ["-99"],
        "not_applicable": ["-100"],
    },
    "answers": [
        {
            "column": f"Q3_{number}",
            "instrument": "ward_survey",
            "version": "1",
            "item": f"helped_{name}",
            "codes": {"0": 0, "1": 1},
            "not_applicable": ["-100"],
        }
        for number, name in ((1, "staff"), (2, "food"))
    ],
    "comments": [
        {
            "column": "Q2",
            "question": {
                "column": "Q2.question",
                "values": {"What could we do better?": {"slug": "better", "intent": "what_to_improve"}},
            },
        }
    ],
}
STARTS, FILES = "/export-responses", "/file"


@pytest.fixture
def survey() -> Qualtrics:
    survey = Qualtrics()
    for number in range(1, 8):
        survey.put(f"R_{number}", f'The nurse was "kind",\nday {number}', f"2026-03-0{number} 10:00:00")
    survey.put("R_preview", "Only trying", "2026-03-02 11:00:00", Status="1")
    survey.put("R_spam", "Buy watches", "2026-03-03 11:00:00", Status="8")
    return survey


@pytest.fixture
def emulator(survey: Qualtrics) -> Iterator[Emulator]:
    with survey.emulator() as emulator:
        yield emulator


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, emulator: Emulator) -> Channel:
    source = declare(
        tmp_path,
        "ward_survey",
        "qualtrics",
        request={"survey": "SV_1", "timeout_seconds": 2},
        ignore_columns=["ContactEmail"],
        mapping=MAPPING,
    )
    connection = SourceConnection("ward_survey_system", f"{emulator.url}/API/v3", "", KEY)
    return Channel(warehouse, source, connection)


def truth(survey: Qualtrics) -> dict[str, str]:
    """Return the words of each response that a patient gave."""
    return {
        key: response["Q2"] or ""
        for key, response in survey.responses.items()
        if response["Status"] not in ("1", "2", "8", "9", "17", "Survey Preview", "Spam")
    }


def counts(channel: Channel) -> list[tuple[int, int]]:
    return channel.rows("select source_count, extracted_count from landing.delivery order by landed_at")


def cut(rows: list[list[str]]) -> bytes:
    whole = zipped(rows)
    return whole[: len(whole) // 2]


def no_file(rows: list[list[str]]) -> bytes:
    return zip_of({})


def no_zip(rows: list[list[str]]) -> bytes:
    return b"<html>Please sign in</html>"


def damaged(rows: list[list[str]]) -> bytes:
    """A zip whose directory is whole and whose content is not."""
    whole = bytearray(zipped(rows))
    middle = len(whole) // 3
    whole[middle : middle + 8] = bytes(8)
    return bytes(whole)


def no_rows_of_names(rows: list[list[str]]) -> bytes:
    return zipped([])


def ends_within_a_row(rows: list[list[str]]) -> bytes:
    return zipped([*rows[:-1], rows[-1][:2]])


def ends_within_quotes(rows: list[list[str]]) -> bytes:
    return zip_of({"Patient survey.csv": '"ResponseId","Sta'})


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, survey: Qualtrics) -> None:
    assert channel.run() == 7
    channel.assert_shows("better", truth(survey))
    assert channel.run() == 0
    assert len(channel.rows("select from landing.delivery")) == 1
    assert channel.cursor == {"recorded_at": "2026-03-07T10:00:00+00:00"}


def test_survey_without_a_response_is_no_failure(channel: Channel, survey: Qualtrics) -> None:
    survey.responses.clear()
    assert channel.run() == 0
    assert channel.cursor is None
    survey.put("R_1", "The first", "2026-03-01 10:00:00")
    assert channel.run() == 1


def test_previews_tests_and_spam_are_left_out_of_the_rows_and_of_the_count(
    channel: Channel, survey: Qualtrics
) -> None:
    survey.put("R_offline_preview", "Trying", "2026-03-04 11:00:00", Status="17")
    survey.put("R_named_preview", "Trying", "2026-03-04 11:00:01", Status="Survey Preview")
    survey.put("R_imported", "From a letter", "2026-03-04 11:00:02", Status="4")
    survey.put("R_offline", "From a tablet", "2026-03-04 11:00:03", Status="16")
    channel.run()
    channel.assert_shows("better", truth(survey))
    assert {"R_imported", "R_offline"} < set(channel.said("better"))
    assert counts(channel) == [(9, 9)]


def test_response_that_an_export_leaves_out_is_a_difference_with_both_numbers(
    channel: Channel, survey: Qualtrics
) -> None:
    survey.spoiling = [None, lambda rows: zipped(rows[:-4])]
    channel.run()
    assert counts(channel) == [(7, 5)]
    channel.run()
    channel.assert_shows("better", truth(survey))


def test_late_response_counts_in_its_own_period(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.put("R_tablet", "Sent in late", "2026-03-08 10:00:00", EndDate="2026-02-20 09:00:00", Status="16")
    assert channel.run() == 1
    assert channel.days["R_tablet"] == "2026-02-20"


def test_response_that_comes_with_an_old_recorded_date_is_found(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.put("R_import", "From last year", "2025-06-01 10:00:00", Status="4")
    assert channel.run() == 1
    channel.assert_shows("better", truth(survey))
    assert channel.run() == 0


def test_edited_response_shows_its_latest_words_and_answers(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.put("R_5", "The nurse was rude", "2026-03-05 10:00:00", Q1="1")
    assert channel.run() == 1
    channel.assert_shows("better", truth(survey))
    assert channel.rows(
        "select value_number from feedback.answer inner join feedback.response using (response_id) "
        "where source_record_ref = 'R_5' and item_slug = 'overall'"
    ) == [(1.0,)]


def test_response_taken_again_is_the_same_response(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.put("R_5", "On second thought, fine", "2026-04-20 10:00:00")
    assert channel.run() == 1
    channel.assert_shows("better", truth(survey))


def test_words_edited_and_put_back_are_shown_as_they_stand(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    first = survey.responses["R_5"]["Q2"]
    for comment in ("Something else", first):
        survey.responses["R_5"]["Q2"] = comment
        assert channel.run() == 1
    assert channel.said("better")["R_5"] == first


def test_response_that_an_export_gives_twice_lands_once(channel: Channel, survey: Qualtrics) -> None:
    def twice(rows: list[list[str]]) -> bytes:
        return zipped([*rows, *rows[3:]])

    survey.spoiling = [twice] * 4
    assert channel.run() == 7
    assert channel.run() == 0
    channel.assert_shows("better", truth(survey))
    assert len(channel.rows("select from landing.delivery")) == 1


def test_deleted_response_is_withdrawn_with_its_words(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.remove("R_2")
    assert channel.run() == 1
    assert channel.withdrawn == {"R_2"}
    channel.assert_shows("better", truth(survey))
    assert len(channel.rows("select from restricted.comment_original")) == 6
    assert not channel.rows("select from restricted.comment_original where original_text like '%%day 2'")
    assert channel.run() == 0


def test_response_marked_as_spam_is_withdrawn_and_comes_back(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.responses["R_2"]["Status"] = "8"
    assert channel.run() == 1
    assert channel.withdrawn == {"R_2"}
    channel.assert_shows("better", truth(survey))
    survey.responses["R_2"]["Status"] = "0"
    # What was withdrawn long ago is before the days that every run reads again.
    survey.put("R_8", "Much later", "2026-06-01 10:00:00")
    assert channel.run() == 2
    assert channel.withdrawn == set()
    channel.assert_shows("better", truth(survey))


def test_survey_that_shows_nearly_nothing_by_mistake_withdraws_nothing(
    channel: Channel, survey: Qualtrics
) -> None:
    for number in range(10, 50):
        survey.put(f"R_{number}", f"Number {number}", f"2026-03-08 10:00:{number}")
    channel.run()
    kept = channel.said("better")
    survey.responses.clear()
    survey.put("R_99", "The only one", "2026-03-09 10:00:00")
    with pytest.raises(FeedbackError, match="largest_vanished_share"):
        channel.run()
    assert channel.withdrawn == set()
    assert set(kept) <= {key for (key,) in channel.rows("select record_key from landing.extracted_record")}


def test_response_that_comes_between_the_two_exports_is_the_next_run_s(
    channel: Channel, survey: Qualtrics, emulator: Emulator
) -> None:
    def later() -> None:
        survey.put("R_8", "Came while exporting", "2026-03-08 10:00:00")

    emulator.faults = [Fault(path=FILES, before=later)]
    assert channel.run() == 7
    assert counts(channel) == [(7, 7)]
    assert channel.run() == 1
    channel.assert_shows("better", truth(survey))


@pytest.mark.parametrize("path", [STARTS, "ES_1", FILES])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 504},
        {"body": b'{"meta": {"httpStatus": "200 - OK", "error": {"errorMessage": "busy"}}}'},
        {"body": b'{"result": {"progressId": "ES_'},
        {"delay_seconds": 3.0},
    ],
    ids=["500", "504", "error in a 200", "broken JSON", "time-out"],
)
def test_fault_that_passes_is_met_with_another_try(
    channel: Channel, survey: Qualtrics, emulator: Emulator, path: str, fault: dict[str, Any]
) -> None:
    emulator.faults = [Fault(path=path, **fault)]
    channel.run()
    assert not emulator.faults
    channel.assert_shows("better", truth(survey))


def test_file_cut_in_transfer_is_fetched_again_and_not_exported_again(
    channel: Channel, survey: Qualtrics, emulator: Emulator
) -> None:
    emulator.faults = [Fault(body=bytes(3_000_000), headers={"Content-Length": "9999999"}, path=FILES)]
    channel.run()
    assert not emulator.faults
    assert len(survey.asked) == 2
    channel.assert_shows("better", truth(survey))


def test_other_export_that_still_runs_is_waited_for(
    channel: Channel, survey: Qualtrics, emulator: Emulator, waits: list[float]
) -> None:
    emulator.faults = [Fault(status=429, headers={"Retry-After": "7"}, path=STARTS) for _ in range(4)]
    channel.run()
    assert waits[:4] == [7.0] * 4
    channel.assert_shows("better", truth(survey))


def test_export_is_asked_after_less_and_less_often(
    channel: Channel, survey: Qualtrics, waits: list[float]
) -> None:
    survey.polls = 6
    channel.run()
    assert waits == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0] * 2


@pytest.mark.parametrize("failed", [0, 1], ids=["first export", "after one that failed"])
def test_wait_for_exports_ends_before_the_task_s_own_time(
    channel: Channel, survey: Qualtrics, emulator: Emulator, waits: list[float], failed: int
) -> None:
    survey.polls = 10_000
    go_by = [Fault(path="ES_1", before=lambda: None)] * 100
    ends = [Fault(body=b'{"result": {"status": "failed"}}', path="ES_1")]
    emulator.faults = (go_by + ends) * failed
    with pytest.raises(
        PlaceUnavailableError, match=r"ward_survey.*no file in the time.*Raise deadline_minutes"
    ):
        channel.run()
    assert sum(waits) < channel.source.deadline_minutes * 60


@pytest.mark.parametrize("place", [0, 1], ids=["list of ids", "responses"])
def test_archive_that_unpacks_to_more_than_is_allowed_is_refused_unread(
    channel: Channel, survey: Qualtrics, place: int
) -> None:
    asked = channel.source.request.model_copy(update={"largest_download_mb": 1})
    channel.source = channel.source.model_copy(update={"request": asked})
    survey.spoiling = [*[None] * place, lambda _: zip_of({"Survey.csv": "0" * 2 * 1024 * 1024})]
    with pytest.raises(FeedbackError, match=r"more than 1 MB.*request\.largest_download_mb") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert len(survey.asked) == place + 1


@pytest.mark.parametrize("place", [0, 1], ids=["list of ids", "responses"])
@pytest.mark.parametrize("spoil", [cut, no_file, no_zip, damaged])
def test_broken_zip_is_exported_once_more(
    channel: Channel, survey: Qualtrics, spoil: Callable[[list[list[str]]], bytes], place: int
) -> None:
    survey.spoiling = [*[None] * place, spoil]
    channel.run()
    assert len(survey.asked) == 3
    channel.assert_shows("better", truth(survey))


@pytest.mark.parametrize("spoil", [cut, no_file, no_rows_of_names, ends_within_a_row, ends_within_quotes])
def test_file_that_stays_broken_leaves_nothing_half_done(
    channel: Channel, survey: Qualtrics, spoil: Callable[[list[list[str]]], bytes]
) -> None:
    survey.spoiling = [None, spoil, spoil]
    with pytest.raises(PlaceUnavailableError, match="ward_survey") as raised:
        channel.run()
    assert "nurse" not in str(raised.value)
    assert channel.cursor is None
    assert not channel.rows("select from landing.delivery")
    survey.spoiling = []
    channel.run()
    channel.assert_shows("better", truth(survey))


def test_export_that_fails_is_started_once_more(channel: Channel, survey: Qualtrics) -> None:
    survey.failing = 1
    channel.run()
    channel.assert_shows("better", truth(survey))
    survey.failing = 2
    with pytest.raises(PlaceUnavailableError, match="SV_1"):
        channel.run()


@pytest.mark.parametrize("path", ["ES_1", FILES], ids=["progress", "file"])
def test_export_whose_link_expired_is_started_once_more(
    channel: Channel, survey: Qualtrics, emulator: Emulator, path: str
) -> None:
    emulator.faults = [Fault(status=404, path=path)]
    channel.run()
    assert len(survey.asked) == 3
    channel.assert_shows("better", truth(survey))


def test_survey_that_there_is_not_is_said_at_once(channel: Channel, survey: Qualtrics) -> None:
    survey.survey = "SV_other"
    with pytest.raises(FeedbackError, match=r"404.*declaration's request"):
        channel.run()
    assert survey.asked == []


def test_refused_token_names_the_connection_and_never_the_token(channel: Channel) -> None:
    channel.connection = SourceConnection("ward_survey_system", channel.connection.url, "", "wrong-token")
    with pytest.raises(FeedbackError, match="ward_survey_system") as raised:
        channel.run()
    assert "wrong-token" not in str(raised.value)


@pytest.mark.parametrize("is_giving_all", [False, True], ids=["as asked", "every column"])
def test_what_identifies_a_person_never_lands(
    channel: Channel, survey: Qualtrics, is_giving_all: bool
) -> None:
    survey.is_giving_all_metadata = is_giving_all
    assert channel.run() == 7
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    assert b"Must Not Land" not in Path(url.removeprefix("file://")).read_bytes()
    assert not channel.rows("select from landing.record where payload::text like '%%Must Not Land%%'")


def test_names_addresses_and_places_are_not_even_asked_for(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    asked = {name for export in survey.asked for name in export["surveyMetadataIds"]}
    assert not [name for name in asked if name.startswith(("recipient", "ip", "location", "external"))]


def test_seen_and_unanswered_is_told_from_never_seen(channel: Channel, survey: Qualtrics) -> None:
    survey.put("R_skipped", "", "2026-03-08 10:00:00", Q1="")
    survey.put("R_unseen", None, "2026-03-08 10:00:01", Q1=None, Q3_1=None, Q3_2=None)
    channel.run()
    states = channel.rows(
        "select source_record_ref, item_slug, answer_state, value_number from feedback.answer "
        "inner join feedback.response using (response_id) "
        "where source_record_ref in ('R_skipped', 'R_unseen') order by 1, 2"
    )
    assert states == [
        ("R_skipped", "helped_food", "answered", 0.0),
        ("R_skipped", "helped_staff", "answered", 1.0),
        ("R_skipped", "overall", "missing", None),
        ("R_unseen", "helped_food", "not_applicable", None),
        ("R_unseen", "helped_staff", "not_applicable", None),
        ("R_unseen", "overall", "not_applicable", None),
    ]
    assert channel.rows("select comment_text from feedback.comment where comment_state = 'blank'") == [
        ("",),
        ("",),
    ]


def test_wording_that_changed_is_a_question_that_nobody_declared(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.wordings["Q2"] = "What was good?"
    survey.put("R_8", "The food", "2026-03-08 10:00:00")
    landed = land_source(channel.settings, channel.source, "run-2", None, lambda _: channel.connection)
    [delivery_id] = landed.delivery_ids
    map_delivery(channel.settings, channel.source, delivery_id)
    assert channel.rows(
        "select question_slug, is_question_declared from landing.candidate_comment where source_record_ref = 'R_8'"
    ) == [("what_was_good", False)]


def test_new_column_is_named_and_harms_nothing(channel: Channel, survey: Qualtrics) -> None:
    channel.run()
    survey.is_giving_all_metadata = True
    survey.spoiling = [
        None,
        lambda rows: zipped(
            [
                [*rows[0], "Q9"],
                [*rows[1], "New?"],
                [*rows[2], json.dumps({"ImportId": "QID9"})],
                *[[*row, "3"] for row in rows[3:]],
            ]
        ),
    ]
    channel.run()
    channel.assert_shows("better", truth(survey))
    [(unknown,)] = channel.rows(
        "select unknown_columns from landing.delivery order by landed_at desc limit 1"
    )
    assert "Q9" in unknown


def test_moment_under_another_name_is_a_missing_column(channel: Channel, survey: Qualtrics) -> None:
    survey.spoiling = [
        None,
        lambda rows: zipped([["FinishDate" if cell == "EndDate" else cell for cell in rows[0]], *rows[1:]]),
    ]
    channel.run()
    drift = channel.rows("select missing_columns, unknown_columns @> '{FinishDate}' from landing.delivery")
    assert drift == [(["EndDate"], True)]


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    channel.run(window=(utc("2026-03-02"), utc("2026-03-05")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel, survey: Qualtrics) -> None:
    channel.run(window=(utc("2026-03-02T10:00"), utc("2026-03-05T10:00")))
    assert set(channel.said("better")) == {"R_2", "R_3", "R_4"}
    assert counts(channel) == [(3, 3)]
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("better", truth(survey))


def test_edit_that_is_older_than_what_runs_read_again_comes_with_a_backfill(
    channel: Channel, survey: Qualtrics
) -> None:
    survey.put("R_8", "Much later", "2026-06-01 10:00:00")
    channel.run()
    survey.responses["R_2"]["Q2"] = "Edited after months"
    channel.run()
    channel.run(window=(utc("2026-03-01"), utc("2026-04-01")))
    channel.assert_shows("better", truth(survey))


def test_clock_of_the_survey_that_is_put_back_loses_nothing(channel: Channel, survey: Qualtrics) -> None:
    survey.put("R_ahead", "Two hours ahead", "2026-03-07 12:00:00")
    channel.run()
    survey.put("R_right", "On time", "2026-03-07 10:30:00")
    assert channel.run() == 1
    channel.assert_shows("better", truth(survey))


def test_embedded_data_that_are_no_longer_ignored_are_read_of_every_response(
    channel: Channel, survey: Qualtrics, tmp_path: Path
) -> None:
    survey.put("R_old", "Long ago", "2025-01-02 10:00:00")
    declared = channel.source
    mapping = {name: field for name, field in MAPPING.items() if name != "service"}
    channel.source = declare(
        tmp_path,
        "ward_survey",
        "qualtrics",
        request={"survey": "SV_1", "timeout_seconds": 2},
        ignore_columns=["ContactEmail", "ward"],
        mapping=mapping,
    )
    channel.run_gated()
    channel.source = declared
    channel.run_gated()
    channel.assert_shows("better", truth(survey))
    assert channel.rows("select distinct service_name from feedback.response") == [("Ward 3",)]
