"""FHIR bulk export: whatever the server does, the warehouse ends with what it holds."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from channel import Channel, declare, utc
from emulators.fhir import KEY, QUESTIONNAIRE, FhirServer, answered
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources import fhir_bulk
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import ExtractionRequest, SourceConnection

MAPPING: dict[str, Any] = {
    "record_ref": "id",
    "record_version": "version_id",
    "submitted_on": {"column": "authored", "formats": ["%Y-%m-%dT%H:%M:%S%z"], "timezone": "Europe/London"},
    "comments": [{"column": "item.1", "optional": True, "question": {"slug": "said", "intent": "open"}}],
}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}


def said(words: str) -> list[dict[str, Any]]:
    return [answered("1", {"valueString": words})]


@pytest.fixture
def forms() -> FhirServer:
    forms = FhirServer(lines_in_file=3)
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


def channel_of(warehouse: Settings, tmp_path: Path, emulator: Emulator, **asked: Any) -> Channel:
    request = {"questionnaire": QUESTIONNAIRE, "timeout_seconds": 2, "overlap_minutes": 0, **asked}
    source = declare(tmp_path, "exported", "fhir_bulk", request=request, mapping=MAPPING)
    return Channel(warehouse, source, SourceConnection("exported_system", f"{emulator.url}/fhir", "", KEY))


def truth(forms: FhirServer) -> dict[str, str]:
    """Return the words of each response that stands."""
    return {
        key: resource["item"][0]["answer"][0]["valueString"]
        for key, resource in forms.resources.items()
        if resource["status"] in ("completed", "amended")
        and resource["questionnaire"].startswith(QUESTIONNAIRE)
    }


def counts(channel: Channel) -> list[tuple]:
    """Return the source's count and what it gave, of each delivery."""
    return channel.rows("select source_count, extracted_count from landing.delivery order by file_name")


def asked(emulator: Emulator, path: str) -> list[str]:
    return [one for one in emulator.requests if f"/fhir/{path}" in one]


def test_first_load_brings_all_and_a_second_run_nothing(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    assert channel.run() == 7
    channel.assert_shows("said", truth(forms))
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]
    assert channel.cursor == {"transaction_time": "2026-03-01T09:07:00+00:00"}
    assert channel.run() == 0
    assert len(counts(channel)) == 3
    first, second = asked(emulator, "$export")
    assert "_since" not in first
    assert "_since=2026-03-01T09%3A07%3A00%2B00%3A00" in second


def test_export_is_dropped_when_it_is_read_and_when_it_failed(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    emulator.faults = [Fault(status=410, path="2.ndjson")]
    with pytest.raises(PlaceUnavailableError):
        channel.run()
    assert forms.open_jobs == 0
    channel.run()
    assert forms.open_jobs == 0
    assert len([one for one in emulator.requests if one.startswith("DELETE")]) == 2


def test_server_that_drops_no_export_stops_nothing(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    forms.polls = 0
    go_by = Fault(path="/job1", before=lambda: None)
    emulator.faults = [go_by, Fault(status=405, path="/job1")]
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert channel.cursor is not None


def test_late_record_counts_in_its_own_period(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.put("late", said("Said in February"), "2026-02-20T09:00:00+00:00")
    assert channel.run() == 1
    assert channel.days["late"] == "2026-02-20"


def test_amended_response_shows_its_latest_words(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    for words in ("The nurse was rude", "The nurse was kind 5"):
        forms.put("r5", said(words), status="amended")
        assert channel.run() == 1
        channel.assert_shows("said", truth(forms))


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
    assert channel.run() == 0


def test_deleted_response_is_withdrawn_and_one_never_held_is_not(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    forms.put("short", said("Deleted before any export"))
    forms.delete("short")
    forms.delete("r2")
    assert channel.run() == 1
    assert channel.withdrawn == {"r2"}
    channel.assert_shows("said", truth(forms))
    assert channel.run() == 0


def test_response_created_again_after_it_was_deleted_stands(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    channel.run()
    forms.delete("r2")
    moment = forms.deleted["r2"]
    forms.put("r2", said("Written again"))
    # Some servers list it as deleted all the same.
    forms.deleted["r2"] = moment
    channel.run()
    assert channel.withdrawn == set()
    channel.assert_shows("said", truth(forms))


def test_response_that_is_in_progress_again_is_withdrawn(channel: Channel, forms: FhirServer) -> None:
    forms.put("open", said("Not sent yet"), status="in-progress")
    channel.run()
    forms.change("r3", status="in-progress")
    assert channel.run() == 1
    assert channel.withdrawn == {"r3"}
    channel.assert_shows("said", truth(forms))


def test_responses_to_other_questionnaires_stay_where_they_are(channel: Channel, forms: FhirServer) -> None:
    forms.put("other", said("Another form"), questionnaire="https://forms.example.org/Questionnaire/intake|1")
    forms.put("v2", said("Of version two"), questionnaire=f"{QUESTIONNAIRE}|2")
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert "v2" in channel.said("said")
    assert not channel.rows("select from landing.record where payload::text like '%%Another form%%'")
    # The server's count is of lines, whosever they are.
    assert counts(channel) == [(3, 3), (3, 3), (2, 2)]


def test_one_version_of_the_questionnaire_is_taken_where_it_is_declared(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator
) -> None:
    forms.put("v2", said("Of version two"), questionnaire=f"{QUESTIONNAIRE}|2")
    channel = channel_of(warehouse, tmp_path, emulator, questionnaire=f"{QUESTIONNAIRE}|2")
    channel.run()
    assert channel.said("said") == {"v2": "Of version two"}


def test_export_in_part_lands_what_came_and_asks_for_the_same_again(
    channel: Channel, forms: FhirServer, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    channel.run()
    cursor = channel.cursor
    forms.put("r8", said("Came"))
    forms.put("r9", said("Could not be exported"))
    forms.withheld, forms.outcomes = {"r9"}, [ERROR, WARNING]
    assert channel.run() == 1
    assert channel.said("said")["r8"] == "Came"
    assert channel.cursor == cursor
    # One record more than it gave: check FB-LND-010 fails.
    assert counts(channel)[-1] == (1, 0)
    assert "exported" in caplog.text
    assert channel.rows("select missing_columns from landing.delivery order by file_name")[-1] == ([],)
    forms.withheld, forms.outcomes = set(), []
    assert channel.run() == 1
    channel.assert_shows("said", truth(forms))
    assert channel.cursor != cursor


def test_export_with_warnings_alone_is_whole(channel: Channel, forms: FhirServer) -> None:
    forms.outcomes = [WARNING]
    channel.run()
    assert channel.cursor is not None
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]


def test_line_that_is_missing_from_a_file_is_told_by_its_count(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    one = json.dumps(forms.resources["r1"]).encode()
    emulator.faults = [Fault(path="/QuestionnaireResponse1.ndjson", body=one)]
    channel.run()
    assert counts(channel) == [(3, 1), (3, 3), (1, 1)]


@pytest.mark.parametrize("requires_token", [True, False])
def test_token_goes_to_files_only_where_they_want_it(
    channel: Channel, forms: FhirServer, requires_token: bool
) -> None:
    forms.requires_token = requires_token
    channel.run()
    channel.assert_shows("said", truth(forms))
    given = {authorization for path, authorization in forms.authorizations if "/files/" in path}
    assert given == ({f"Bearer {KEY}"} if requires_token else {None})


def test_files_of_another_host_are_read_without_the_token_where_it_is_named(
    channel: Channel, forms: FhirServer
) -> None:
    with forms.file_store() as store:
        forms.requires_token, forms.files_at = False, store.url
        with pytest.raises(FeedbackError, match=rf'"file_hosts": \["127.0.0.1:{store.port}"\]'):
            channel.run()
        assert store.requests == []
        named = {"file_hosts": [f"127.0.0.1:{store.port}"]}
        channel.connection = replace(channel.connection, extra=named)
        channel.run()
    channel.assert_shows("said", truth(forms))
    assert len(store.requests) == 3


def test_other_host_that_wants_the_token_does_not_get_it(channel: Channel, forms: FhirServer) -> None:
    with forms.file_store() as store:
        forms.files_at = store.url
        with pytest.raises(FeedbackError, match="the key is not sent there") as raised:
            channel.run()
    assert store.requests == []
    assert KEY not in str(raised.value)
    assert "signed-secret" not in str(raised.value)


def test_other_host_for_the_state_of_the_export_does_not_get_the_token(
    channel: Channel, emulator: Emulator
) -> None:
    with FhirServer().emulator() as stranger:
        headers = {"Content-Location": f"{stranger.url}/fhir/jobs/1"}
        emulator.faults = [Fault(status=202, headers=headers)]
        with pytest.raises(FeedbackError, match="the key is not sent there"):
            channel.run()
    assert stranger.requests == []


@pytest.mark.parametrize(
    "packed", [{"is_packed": True}, {"is_file_packed": True}], ids=["in transit", "itself"]
)
def test_packed_file_is_read(channel: Channel, forms: FhirServer, packed: dict[str, bool]) -> None:
    for name, value in packed.items():
        setattr(forms, name, value)
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]


def test_file_that_begins_with_a_byte_order_mark_is_read(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    lines = [json.dumps(resource).encode() for resource in forms.resources.values()][:3]
    marked = b"\xef\xbb\xbf" + b"\n".join(lines)
    emulator.faults = [Fault(body=marked, path="/QuestionnaireResponse1.ndjson") for _ in range(6)]
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert len(emulator.faults) == 5


def _cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


WHOLE = b'{"resourceType": "QuestionnaireResponse", "id": "x"}\n'


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=429, headers={"Retry-After": "7"}),
        Fault(body=WHOLE + WHOLE[:20]),
        Fault(body=b"<html>Sorry</html>"),
        Fault(body=_cut(gzip.compress(WHOLE * 50))),
        Fault(body=_cut(gzip.compress(WHOLE * 50)), headers={"Content-Encoding": "gzip"}),
        Fault(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Fault(delay_seconds=3.0),
    ],
    ids=[
        "500",
        "429",
        "cut-off line",
        "page of error",
        "truncated gzip",
        "truncated in transit",
        "broken in transit",
        "time-out",
    ],
)
def test_file_that_is_spoilt_once_is_fetched_again(
    channel: Channel, forms: FhirServer, emulator: Emulator, fault: Fault
) -> None:
    emulator.faults = [
        Fault(fault.status, fault.body, fault.headers, "/QuestionnaireResponse2.ndjson", fault.delay_seconds)
    ]
    channel.run()
    channel.assert_shows("said", truth(forms))
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]


TWO_MEGABYTES = b"\n" * (2 * 1024 * 1024)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TWO_MEGABYTES, {}),
        (gzip.compress(TWO_MEGABYTES), {}),
        (gzip.compress(TWO_MEGABYTES), {"Content-Encoding": "gzip"}),
    ],
    ids=["plain", "packed", "packed in transit"],
)
def test_file_of_more_than_is_allowed_is_refused_and_names_the_setting(
    warehouse: Settings, tmp_path: Path, emulator: Emulator, body: bytes, headers: dict[str, str]
) -> None:
    channel = channel_of(warehouse, tmp_path, emulator, largest_download_mb=1)
    emulator.faults = [Fault(body=body, headers=headers, path="/QuestionnaireResponse2.ndjson")]
    with pytest.raises(FeedbackError, match=r"more than 1 MB.*request\.largest_download_mb") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert counts(channel) == [(3, 3)]


def test_file_that_stays_spoilt_leaves_the_files_before_it_landed(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    path = "/QuestionnaireResponse2.ndjson"
    emulator.faults = [Fault(body=WHOLE[:20], path=path) for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="exported"):
        channel.run()
    assert counts(channel) == [(3, 3)]
    assert channel.cursor is None
    # The next run asks for a new export and lands what is not there yet.
    assert channel.run() == 4
    channel.assert_shows("said", truth(forms))


def test_broken_line_within_a_file_is_named_without_its_words(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    body = WHOLE + b'{"valueString": "Words of a patient", }\n' + WHOLE
    emulator.faults = [Fault(body=body, path="/QuestionnaireResponse1.ndjson")]
    with pytest.raises(PlaceUnavailableError, match="line 2 is no JSON") as raised:
        channel.run()
    assert "Words" not in str(raised.value)
    assert counts(channel) == []
    channel.run()
    channel.assert_shows("said", truth(forms))


@pytest.mark.parametrize(("status", "requires_token"), [(404, True), (410, True), (403, False)])
def test_expired_link_ends_in_a_new_export(
    channel: Channel, forms: FhirServer, emulator: Emulator, status: int, requires_token: bool
) -> None:
    forms.requires_token = requires_token
    emulator.faults = [Fault(status=status, path="/QuestionnaireResponse2.ndjson")]
    with pytest.raises(PlaceUnavailableError, match="expire") as raised:
        channel.run()
    assert "signed-secret" not in str(raised.value)
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_response_changed_while_its_export_is_written_comes_with_the_next_run(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    def change() -> None:
        forms.put("r1", said("Changed while the export was written"), status="amended")
        forms.put("r8", said("Came while the export was written"))
        forms.delete("r2")

    emulator.faults = [Fault(path="/job1", before=change)]
    assert channel.run() == 7
    assert counts(channel) == [(3, 3), (3, 3), (1, 1)]
    assert channel.run() == 3
    channel.assert_shows("said", truth(forms))


def test_export_that_takes_long_is_asked_for_as_the_server_bids(
    channel: Channel, forms: FhirServer, emulator: Emulator, waits: list[float]
) -> None:
    forms.polls = 3
    emulator.faults = [Fault(status=429, path="/job1", headers={"Retry-After": "20"})]
    channel.run()
    assert waits == [20.0, 5.0, 5.0, 5.0]
    channel.assert_shows("said", truth(forms))


def test_server_that_names_no_time_is_asked_ever_less_often(
    channel: Channel, forms: FhirServer, waits: list[float]
) -> None:
    forms.polls, forms.retry_after = 8, None
    channel.run()
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_wait_for_an_export_ends_before_the_task_s_own_time(
    channel: Channel, forms: FhirServer, waits: list[float]
) -> None:
    forms.polls, forms.retry_after = 10_000, "9999"
    with pytest.raises(PlaceUnavailableError, match=r"has not finished.*same export.*Raise deadline_minutes"):
        channel.run()
    assert sum(waits) < channel.source.deadline_minutes * 60
    assert max(waits) == 120.0
    assert forms.open_jobs == 1


def test_wait_for_an_export_has_an_end_whatever_the_deadline(
    channel: Channel, forms: FhirServer, waits: list[float]
) -> None:
    channel.source = channel.source.model_copy(update={"deadline_minutes": 100_000})
    forms.polls = 10_000
    with pytest.raises(PlaceUnavailableError, match="has not finished"):
        channel.run()
    assert sum(waits) == fhir_bulk.LONGEST_EXPORT_SECONDS


@pytest.mark.parametrize("has_cursor", [False, True])
def test_next_run_goes_on_with_the_export_that_was_under_way(
    channel: Channel, forms: FhirServer, emulator: Emulator, has_cursor: bool
) -> None:
    if has_cursor:
        channel.run()
        forms.put("r8", said("Written since"))
    export_count = len(asked(emulator, "$export"))
    forms.polls = 1_000
    while_away = channel.cursor
    with pytest.raises(PlaceUnavailableError, match="has not finished"):
        channel.run()
    [job] = forms._jobs.values()
    job.polls_left = 3
    assert channel.run() == (1 if has_cursor else 7)
    assert len(asked(emulator, "$export")) == export_count + 1
    assert channel.said("said") == truth(forms)
    assert channel.cursor is not None
    assert set(channel.cursor) == {"transaction_time"}
    assert channel.cursor != while_away
    assert forms.open_jobs == 0


def test_export_that_a_killed_run_waited_for_is_gone_on_with(
    channel: Channel, forms: FhirServer, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as while_waiting:
        while_waiting.setattr(fhir_bulk.http_client, "wait_seconds", killed)
        with pytest.raises(KeyboardInterrupt):
            channel.run()
    assert channel.run() == 7
    assert len(asked(emulator, "$export")) == 1


@pytest.mark.parametrize("status", [404, 410, 401, 500])
def test_export_that_the_server_no_longer_has_is_asked_for_anew(
    channel: Channel, forms: FhirServer, emulator: Emulator, status: int
) -> None:
    forms.polls = 1_000
    with pytest.raises(PlaceUnavailableError, match="has not finished"):
        channel.run()
    forms.polls = 0
    emulator.faults = [Fault(status=status, path="/job1") for _ in range(6)]
    assert channel.run() == 7
    assert len(asked(emulator, "$export")) == 2


def test_export_of_another_server_is_not_asked_for_with_this_one_s_key(
    channel: Channel, forms: FhirServer
) -> None:
    forms.polls = 1_000
    with pytest.raises(PlaceUnavailableError, match="has not finished"):
        channel.run()
    moved = FhirServer(resources=dict(forms.resources), lines_in_file=3)
    with moved.emulator() as elsewhere:
        channel.connection = replace(channel.connection, url=f"{elsewhere.url}/fhir")
        assert channel.run() == 7


def test_export_whose_files_cannot_be_read_is_not_gone_on_with(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    forms.polls = 0
    go_by = Fault(path="/job1", before=lambda: None)
    emulator.faults = [
        go_by,
        Fault(status=405, path="/job1"),
        Fault(status=410, path="/QuestionnaireResponse1.ndjson"),
    ]
    with pytest.raises(PlaceUnavailableError, match="expire"):
        channel.run()
    assert channel.run() == 7
    assert len(asked(emulator, "$export")) == 2


def test_backfill_that_waits_in_vain_drops_its_export_and_leaves_the_cursor(
    channel: Channel, forms: FhirServer
) -> None:
    channel.run()
    cursor = channel.cursor
    forms.polls = 1_000
    with pytest.raises(PlaceUnavailableError, match=r"was dropped.*backfill shorter intervals"):
        channel.run((utc("2026-03-01T09:02"), utc("2026-03-01T09:04")))
    assert forms.open_jobs == 0
    assert channel.cursor == cursor


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType": "OperationOutcome"}',
        b'{"transactionTime": "2026-03-01T09:',
        b"<html></html>",
        b"[]",
    ],
)
def test_state_with_an_error_body_is_asked_for_again(
    channel: Channel, forms: FhirServer, emulator: Emulator, body: bytes
) -> None:
    emulator.faults = [Fault(body=body, path="/job1")]
    channel.run()
    channel.assert_shows("said", truth(forms))
    emulator.faults = [Fault(body=body, path="/job2") for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="no manifest"):
        channel.run()


def test_export_that_the_server_forgot_is_started_anew_by_the_next_run(
    channel: Channel, forms: FhirServer, emulator: Emulator
) -> None:
    emulator.faults = [Fault(status=404, path="/job1")]
    with pytest.raises(PlaceUnavailableError, match="forgot"):
        channel.run()
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_export_that_is_never_begun_for_an_error_in_a_200_is_the_next_run_s(
    channel: Channel, forms: FhirServer, emulator: Emulator, waits: list[float]
) -> None:
    outcome = json.dumps(ERROR).encode()
    emulator.faults = [Fault(body=outcome, path="/$export") for _ in range(6)]
    with pytest.raises(PlaceUnavailableError, match="exported"):
        channel.run()
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_server_without_bulk_export_is_told_apart(channel: Channel, emulator: Emulator) -> None:
    emulator.faults = [Fault(body=b"{}", path="/$export")]
    with pytest.raises(FeedbackError, match="declare the source as fhir_search"):
        channel.run()


def test_redirection_is_no_answer(channel: Channel, emulator: Emulator) -> None:
    emulator.faults = [Fault(status=302, headers={"Location": "https://example.org"}, path="1.ndjson")]
    with pytest.raises(FeedbackError, match="302"):
        channel.run()
    assert counts(channel) == []


def test_refused_token_names_the_connection_and_never_the_token(channel: Channel) -> None:
    channel.connection = SourceConnection("exported_system", channel.connection.url, "", "wrong-token")
    with pytest.raises(FeedbackError, match="exported_system") as raised:
        channel.run()
    assert "wrong-token" not in str(raised.value)


def test_names_and_numbers_of_persons_never_land(channel: Channel) -> None:
    channel.run()
    for (url,) in channel.rows("select landing_url from landing.delivery"):
        landed = Path(url.removeprefix("file://")).read_bytes()
        assert b"was kind" in landed
        assert b"Must Not Land" not in landed
    assert not channel.rows("select from landing.record where payload::text like '%%Must Not Land%%'")


def test_cursor_follows_the_clock_of_the_server(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator
) -> None:
    forms.now += timedelta(hours=2)
    channel = channel_of(warehouse, tmp_path, emulator, overlap_minutes=180)
    channel.run()
    assert channel.cursor == {"transaction_time": "2026-03-01T11:07:00+00:00"}
    # The clock is put right: what is changed now bears an earlier moment.
    forms.now -= timedelta(hours=2)
    forms.put("r3", said("After the clock was put right"), status="amended")
    assert channel.run() == 1
    channel.assert_shows("said", truth(forms))


def test_backfill_of_a_window_gives_the_same_rows(channel: Channel, forms: FhirServer) -> None:
    channel.run()
    before = channel.rows("select * from feedback.comment order by comment_id")
    cursor = channel.cursor
    forms.delete("r3")
    channel.run(window=(utc("2026-03-01"), utc("2026-03-02")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before
    assert channel.cursor == cursor
    # A deletion belongs to no window; the next run brings it.
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_backfill_before_any_run_brings_its_window_alone(channel: Channel, forms: FhirServer) -> None:
    channel.run(window=(utc("2026-03-01T09:01:30"), utc("2026-03-01T09:05:00")))
    assert set(channel.said("said")) == {"r2", "r3", "r4"}
    assert channel.cursor is None
    channel.run()
    channel.assert_shows("said", truth(forms))


def test_memory_does_not_grow_with_the_file(tmp_path: Path, emulator: Emulator, forms: FhirServer) -> None:
    line = json.dumps(forms.resources["r1"]).encode() + b"\n"
    source = declare(
        tmp_path, "exported", "fhir_bulk", request={"questionnaire": QUESTIONNAIRE}, mapping=MAPPING
    )
    connection = SourceConnection("exported_system", f"{emulator.url}/fhir", "", KEY)
    number = 40_000
    emulator.faults = [Fault(body=line * number, path="/QuestionnaireResponse1.ndjson")]
    request = ExtractionRequest(source, connection, utc("2026-03-01"))
    with ExitStack() as stack:
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        records = sum(1 for extract in fhir_bulk.extract(request) for _ in extract.records)
        peak = tracemalloc.get_traced_memory()[1] - before
    assert records == number + 4
    assert peak < len(line) * number


WARDED = {**MAPPING, "service": {"column": "item.ward", "optional": True}}


def on_ward(words: str) -> list[dict[str, Any]]:
    return [*said(words), answered("ward", {"valueString": "Ward 3"})]


@pytest.fixture
def declared(forms: FhirServer, channel: Channel, tmp_path: Path) -> Source:
    """Bring everything with the wards ignored; return the declaration that asks for them."""
    for number in range(1, 8):
        forms.put(f"r{number}", on_ward(f"The nurse was kind {number}"))
    request = channel.source.request.model_dump(exclude_defaults=True)
    channel.source = declare(
        tmp_path, "exported", "fhir_bulk", request=request, mapping=MAPPING, ignore_columns=["item.ward"]
    )
    channel.run_gated()
    assert ward_count(channel) == 0
    return declare(tmp_path, "exported", "fhir_bulk", request=request, mapping=WARDED)


def ward_count(channel: Channel) -> int:
    [(count,)] = channel.rows("select count(service_name) from feedback.response")
    return count


def test_item_that_is_no_longer_ignored_is_read_of_every_response_once_an_export_is_whole(
    channel: Channel, forms: FhirServer, declared: Source
) -> None:
    channel.source = declared
    forms.withheld, forms.outcomes = {"r1"}, [ERROR]
    channel.run_gated()
    channel.assert_shows("said", truth(forms))
    assert ward_count(channel) == 6
    forms.withheld, forms.outcomes = set(), []
    channel.run_gated()
    channel.assert_shows("said", truth(forms))
    assert ward_count(channel) == 7


def test_export_that_was_asked_for_less_is_not_gone_on_with(
    channel: Channel, forms: FhirServer, emulator: Emulator, declared: Source
) -> None:
    forms.put("r8", on_ward("Written since"))
    forms.polls = 1_000
    # The first of these exports is of what was changed alone; the second, of all, is gone on with.
    for source in (channel.source, declared):
        channel.source = source
        with pytest.raises(PlaceUnavailableError, match="has not finished"):
            channel.run()
    export_count = len(asked(emulator, "$export"))
    for job in forms._jobs.values():
        job.polls_left = 3
    channel.run()
    assert len(asked(emulator, "$export")) == export_count
    channel.assert_shows("said", truth(forms))
    assert ward_count(channel) == 8
