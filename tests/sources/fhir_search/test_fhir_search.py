"""FHIR search: whatever the server does, the warehouse ends with what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from channel import Channel, utc
from discharge_forms import channel_of, said, truth, without_rating
from emulators.fhir import KEY, QUESTIONNAIRE, FhirServer, answered
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection

NEXT_PAGE = "/fhir"


@pytest.fixture
def forms() -> FhirServer:
    forms = FhirServer()
    for number in range(1, 8):
        forms.put(f"r{number}", said(f"The nurse was kind {number}"), f"2026-03-0{number}T09:00:00+00:00")
    return forms


@pytest.fixture
def emulator(forms: FhirServer) -> Iterator[Emulator]:
    with forms.emulator() as emulator:
        yield emulator


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, emulator: Emulator) -> Channel:
    return channel_of(warehouse, tmp_path, emulator)


def counts(channel: Channel) -> list[tuple]:
    """Return the source's count and what it gave, of each delivery."""
    return channel.rows("select source_count, extracted_count from landing.delivery order by file_name")


def test_first_load_brings_all_and_a_second_run_nothing(channel: Channel, forms: FhirServer) -> None:
    assert channel.run() == 7
    channel.assert_shows("said", truth(forms))
    assert counts(channel) == [(7, 7)]
    assert channel.cursor == {"last_updated": "2026-03-01T09:07:00+00:00"}
    assert channel.run() == 0
    assert len(counts(channel)) == 1


def test_run_asks_only_for_what_was_changed_since(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    channel.run()
    emulator.requests.clear()
    channel.run()
    assert all(
        "_lastUpdated=ge2026-03-01T09%3A07%3A00%2B00%3A00" in asked
        for asked in emulator.requests
        if "entered-in-error" in asked
    )
    assert len(emulator.requests) == 4


def test_rating_and_person_are_kept_as_declared(channel: Channel, forms: FhirServer) -> None:
    forms.put("r8", said("Left waiting", rating="1"))
    channel.run()
    rated = channel.rows(
        "select value_number from feedback.answer inner join feedback.response using (response_id) "
        "where source_record_ref = 'r8'"
    )
    assert rated == [(1.0,)]
    persons = channel.rows("select distinct respondent_id from feedback.response")
    assert len(persons) == 8
    assert not any("Patient" in person for (person,) in persons)


def test_late_record_counts_in_its_own_period(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.put("late", said("Said in February"), "2026-02-20T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.days["late"] == "2026-02-20"


def test_amended_response_shows_its_latest_words(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.put("r5", said("The nurse was rude"), status="amended")
    assert channel.run() == 1
    channel.assert_shows("said", truth(forms))
    assert channel.rows("select record_version from feedback.record where source_record_ref = 'r5'") == [(2,)]


def test_words_edited_and_put_back_are_shown_as_they_stand(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    for words in ("Something else", "The nurse was kind 5"):
        forms.put("r5", said(words), status="amended")
        assert channel.run() == 1
    assert channel.said("said")["r5"] == "The nurse was kind 5"


def test_response_entered_in_error_is_withdrawn_and_its_words_are_gone(
    channel: Channel, forms: FhirServer
) -> None:
    channel.run()
    forms.change("r7", status="entered-in-error")
    assert channel.run() == 1
    assert channel.withdrawn == {"r7"}
    channel.assert_shows("said", truth(forms))
    assert not channel.rows("select from restricted.comment_original where original_text like '%%kind 7'")
    assert not channel.rows("select from landing.record where payload::text like '%%kind 7%%'")
    last = channel.rows("select landing_url from landing.delivery order by file_name desc limit 1")[0][0]
    assert b"kind 7" not in Path(last.removeprefix("file://")).read_bytes()
    assert channel.run() == 0


def test_response_entered_in_error_comes_back_when_it_is_amended(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.change("r7", status="entered-in-error")
    channel.run()
    forms.change("r7", status="amended")
    channel.run()
    assert channel.withdrawn == set()
    channel.assert_shows("said", truth(forms))


def test_deleted_response_is_withdrawn_though_another_came(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.delete("r2")
    forms.put("r8", said("The nurse was kind 8"))
    assert channel.run() == 2
    assert channel.withdrawn == {"r2"}
    channel.assert_shows("said", truth(forms))
    assert channel.run() == 0


def test_response_that_is_in_progress_again_is_withdrawn(channel: Channel, forms: FhirServer) -> None:
    forms.put("open", said("Not sent yet"), status="in-progress")
    channel.run()
    assert "open" not in channel.said("said")
    forms.change("r3", status="in-progress")
    channel.run()
    assert channel.withdrawn == {"r3"}
    forms.change("open", status="completed")
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_server_that_shows_nothing_by_mistake_withdraws_nothing(channel: Channel, forms: FhirServer) -> None:
    for number in range(20, 45):
        forms.put(f"r{number}", said(f"Words {number}"))
    channel.run()
    kept, forms.resources = forms.resources, {}
    with pytest.raises(FeedbackError, match="largest_vanished_share"):
        channel.run()
    forms.resources = kept
    assert channel.run() == 0
    channel.assert_shows("said", truth(forms))


@pytest.mark.parametrize("is_sorting", [True, False], ids=["sorts", "does not sort"])
def test_page_that_shifts_while_it_is_read_loses_nothing(
    channel: Channel, forms: FhirServer, emulator: Emulator, is_sorting: bool
) -> None:
    forms.is_sorting = is_sorting

    def shift() -> None:
        forms.delete("r1")
        forms.put("r2", said("Changed while reading"), status="amended")
        forms.put("r9", said("Came while reading"))

    # Once the first page was given.
    go_by = Fault(path="Response", before=lambda: None)
    emulator.faults = [go_by, go_by, Fault(before=shift)]
    channel.run()
    assert channel.said("said").items() >= truth(forms).items()
    # What was deleted after it was read is found by the next run, whose count agrees again.
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert len(set(counts(channel)[-1])) == 1


def test_edit_that_slips_to_a_page_that_was_read_is_not_lost(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    channel.run()
    for number in range(1, 8):
        forms.put(f"r{number}", said(f"Edited {number}"), status="amended")
    go_by = Fault(path="Response", before=lambda: None)
    change = Fault(before=lambda: forms.put("r1", said("Edited again"), status="amended"))
    emulator.faults = [go_by, go_by, change]
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_response_that_appears_with_an_old_moment_is_found_by_the_count(
    channel: Channel, forms: FhirServer
) -> None:
    channel.run()
    # Brought from another server, moment included.
    forms.put("moved", said("Moved from another server"))["meta"]["lastUpdated"] = "2026-02-01T09:00:00+00:00"
    forms.put("r8", said("The nurse was kind 8"))
    assert channel.run() == 2
    channel.assert_shows("said", truth(forms))
    # One and the newest that was seen before by the window, one by its name.
    assert counts(channel)[-1] == (3, 3)
    assert channel.run() == 0


def test_two_versions_read_in_one_run_do_not_contradict_each_other(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    ask = Fault(path="Response", before=lambda: None)
    change = Fault(before=lambda: forms.put("r1", said("Changed while reading"), status="amended"))
    emulator.faults = [ask, ask, change]
    assert channel.run() == 8
    channel.assert_shows("said", truth(forms))
    assert not channel.rows("select from landing.candidate_record where is_conflicting_in_delivery")
    assert channel.cursor == {"last_updated": "2026-03-01T09:08:00+00:00"}
    assert channel.run() == 0


def test_more_changes_of_one_moment_than_a_page_holds(channel: Channel, forms: FhirServer) -> None:
    forms.is_clock_stopped = True
    for number in range(10, 30):
        forms.put(f"r{number}", said(f"Moved in one transaction {number}"))
    assert channel.run() == 27
    channel.assert_shows("said", truth(forms))


def test_server_that_does_not_sort_is_followed_by_its_links(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    forms.is_sorting = False
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert sum("_getpages" in asked for asked in emulator.requests) == 2


def test_server_that_does_not_sort_gives_a_whole_window(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator
) -> None:
    forms.is_sorting = False
    # Each page is in order by itself, and the pages are not.
    channel = channel_of(warehouse, tmp_path, emulator, page_size=1)
    channel.run(window=(utc("2026-03-01"), utc("2026-03-02")))
    channel.assert_shows("said", truth(forms))


def test_link_to_the_next_page_that_expired_leaves_nothing_half_done(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    forms.is_sorting = False
    emulator.faults = [Fault(status=410, path=NEXT_PAGE)]
    with pytest.raises(PlaceUnavailableError, match="expire"):
        channel.run()
    assert channel.cursor is None
    assert counts(channel) == []
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_link_to_another_host_is_not_followed_with_the_token(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    with FhirServer().emulator() as stranger:
        bundle = {
            "resourceType": "Bundle",
            "link": [{"relation": "next", "url": f"{stranger.url}/fhir?_getpages=a"}],
        }
        count = Fault(path="Response", before=lambda: None)
        emulator.faults = [count, Fault(path="Response", body=json.dumps(bundle).encode())]
        with pytest.raises(FeedbackError, match="the key is not sent there") as raised:
            channel.run()
    assert stranger.requests == []
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(body=b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}'),
        Fault(body=b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "cut'),
        Fault(body=b'{"resourceType": "Bundle", "entry": ["no object"]}'),
        Fault(body=b"<html>Sorry</html>"),
        Fault(delay_seconds=3.0),
    ],
    ids=["500", "error in a 200", "broken JSON", "entries of another shape", "no JSON", "time-out"],
)
def test_fault_in_the_middle_of_paging_is_met_with_another_try(
    channel: Channel, forms: FhirServer, emulator: Emulator, fault: Fault
) -> None:
    go_by = Fault(path="Response", before=lambda: None)
    emulator.faults = [go_by, go_by, fault]
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert counts(channel) == [(7, 7)]


def test_storm_of_429_waits_as_long_as_the_server_asks(
    channel: Channel, forms: FhirServer, emulator: Emulator, waits: list[float]
) -> None:
    emulator.faults = [Fault(status=429, headers={"Retry-After": "7"}) for _ in range(4)]
    channel.run()
    assert waits == [7.0] * 4
    channel.assert_shows("said", truth(forms))


def test_byte_order_mark_before_json_is_no_fault(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    forms.resources.clear()
    nothing = b'\xef\xbb\xbf{"resourceType": "Bundle", "total": 0}'
    emulator.faults = [Fault(body=nothing) for _ in range(6)]
    assert channel.run() == 0
    assert emulator.faults


def test_server_that_stays_away_leaves_nothing_half_done(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    go_by = Fault(path="Response", before=lambda: None)
    emulator.faults = [go_by, go_by, *(Fault(status=500) for _ in range(6))]
    with pytest.raises(PlaceUnavailableError, match="responses"):
        channel.run()
    assert channel.cursor is None
    assert counts(channel) == []
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_refused_token_names_the_connection_and_never_the_token(channel: Channel) -> None:
    channel.connection = SourceConnection("responses_system", channel.connection.url, "", "wrong-token")
    with pytest.raises(FeedbackError, match="responses_system") as raised:
        channel.run()
    assert "wrong-token" not in str(raised.value)


def test_names_and_numbers_of_persons_never_land(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    landed = Path(url.removeprefix("file://")).read_bytes()
    assert b"kind 1" in landed
    assert b"Must Not Land" not in landed
    assert not channel.rows("select from landing.record where payload::text like '%%Must Not Land%%'")


def test_response_that_the_server_counts_and_never_shows_is_told(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    more = json.dumps({"resourceType": "Bundle", "total": 9}).encode()
    emulator.faults = [Fault(body=more), *(Fault(path="Response", before=lambda: None) for _ in range(3))]
    emulator.faults.append(Fault(path="Response", body=more))
    channel.run()
    assert counts(channel) == [(9, 7)]


def test_server_that_cannot_count_is_read_and_its_deletions_found(
    channel: Channel, forms: FhirServer
) -> None:
    forms.is_counting = False
    channel.run()
    forms.delete("r4")
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert channel.withdrawn == {"r4"}
    assert {counted for counted, _ in counts(channel)} == {None}


def test_server_that_does_not_know_the_questionnaire_lands_no_other(
    channel: Channel, forms: FhirServer
) -> None:
    forms.put("other", said("Another form"), questionnaire="https://forms.example.org/Questionnaire/intake|1")
    forms.is_questionnaire_known = False
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert not channel.rows("select from landing.record where payload::text like '%%Another form%%'")
    # The difference is told: the server counts what it should not.
    assert counts(channel) == [(8, 7)]


def test_version_of_the_questionnaire_is_asked_for_where_it_is_declared(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator
) -> None:
    forms.put("v2", said("Of version two"), questionnaire=f"{QUESTIONNAIRE}|2")
    channel = channel_of(warehouse, tmp_path, emulator, questionnaire=f"{QUESTIONNAIRE}|2")
    channel.run()
    assert channel.said("said") == {"v2": "Of version two"}


def test_link_id_that_changed_with_the_version_answers_the_same_question(
    channel: Channel, forms: FhirServer
) -> None:
    channel.run()
    forms.put(
        "v2",
        [answered("experience", {"valueString": "A new form"}), answered("ward", {"valueString": "7"})],
        questionnaire=f"{QUESTIONNAIRE}|2",
    )
    channel.run()
    assert channel.said("said") == {
        **{f"r{number}": f"The nurse was kind {number}" for number in range(1, 8)},
        "v2": "A new form",
    }
    drifts = channel.rows("select unknown_columns, missing_columns from landing.delivery order by file_name")
    assert drifts == [([], []), (["item.ward"], [])]


def test_new_key_of_a_resource_is_named_and_its_value_does_not_land(
    channel: Channel, forms: FhirServer
) -> None:
    forms.resources["r1"]["homeAddress"] = "Must Not Land"
    channel.run()
    assert channel.rows("select unknown_columns, missing_columns from landing.delivery") == [
        (["homeAddress"], [])
    ]
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    assert b"Must Not Land" not in Path(url.removeprefix("file://")).read_bytes()
    channel.assert_shows("said", truth(forms))


def test_extension_of_a_value_is_no_new_key(channel: Channel, forms: FhirServer) -> None:
    resource = forms.put("r3", said("The nurse was rude"), "2026-03-03T09:00:00+00:00", "amended")
    absent = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}
    resource["_authored"] = absent
    resource["item"][0]["answer"] = [{"_valueCoding": absent}]
    channel.run()
    assert channel.rows("select unknown_columns from landing.delivery") == [([],)]
    channel.assert_shows("said", truth(forms))


@pytest.mark.parametrize("path", ["item", "answer"])
def test_answers_under_another_key_are_set_aside_and_those_that_are_held_stay(
    channel: Channel, forms: FhirServer, path: str
) -> None:
    channel.run()
    before = truth(forms)
    resource = forms.put("r3", said("The nurse was rude"), "2026-03-03T09:00:00+00:00", "amended")
    if path == "item":
        resource["question"] = resource.pop("item")
    else:
        item = resource["item"][1]["item"][0]
        item["answer"] = [{"string": one["valueString"]} for one in item["answer"]]
    assert {"FB-LND-006", "FB-LND-024"} <= set().union(*channel.run_gated())
    channel.assert_shows("said", before)
    named = {"item": "question", "answer": "string"}[path]
    assert channel.rows("select unknown_columns from landing.delivery order by file_name")[-1] == ([named],)
    assert channel.rows("select count(*) from landing.record where record_state = 'set_aside'") == [(1,)]


@pytest.mark.parametrize(
    ("authored", "day"),
    [
        ("2026-03-28T23:30:00+00:00", "2026-03-28"),
        # In summer it is an hour later in London.
        ("2026-03-29T23:30:00+00:00", "2026-03-30"),
        ("2026-03-05T00:30:00+10:00", "2026-03-04"),
        ("2026-03-05T09:00:00.250Z", "2026-03-05"),
        ("2026-03-05", "2026-03-05"),
        # A month is no day, and none is made up.
        ("2026-03", "None"),
        (None, "None"),
    ],
)
def test_feedback_counts_on_the_day_it_was_given(
    channel: Channel, forms: FhirServer, authored: str | None, day: str
) -> None:
    forms.resources.clear()
    forms.put("r1", said("Words"), authored)
    channel.run()
    assert channel.days == {"r1": day}
    assert channel.said("said") == {"r1": "Words"}


def test_cursor_follows_the_clock_of_the_server(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator
) -> None:
    forms.zone = timezone(timedelta(hours=-5))
    forms.now += timedelta(hours=2)
    channel = channel_of(warehouse, tmp_path, emulator, overlap_minutes=180)
    forms.put("ahead", said("Two hours ahead"))
    channel.run()
    assert channel.cursor == {"last_updated": "2026-03-01T11:08:00+00:00"}
    # The clock is put right: what is changed now bears an earlier moment.
    forms.now -= timedelta(hours=2)
    forms.put("r3", said("After the clock was put right"), status="amended")
    assert channel.run() == 1
    channel.assert_shows("said", truth(forms))
    assert channel.cursor == {"last_updated": "2026-03-01T11:08:00+00:00"}


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    channel.run(window=(utc("2026-03-01"), utc("2026-03-02")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel, forms: FhirServer) -> None:
    channel.run(window=(utc("2026-03-01T09:02:00"), utc("2026-03-01T09:05:00")))
    assert set(channel.said("said")) == {"r2", "r3", "r4"}
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_item_that_is_no_longer_ignored_is_read_of_every_response(
    channel: Channel, forms: FhirServer, tmp_path: Path
) -> None:
    declared = channel.source
    channel.source = without_rating(declared, tmp_path)
    channel.run_gated()
    channel.source = declared
    channel.run_gated()
    channel.assert_shows("said", truth(forms))
    assert channel.rows("select count(*) from feedback.answer where answer_state = 'answered'") == [(7,)]
