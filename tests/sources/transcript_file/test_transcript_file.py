"""Transcripts: of a call or a telehealth session only the patient's own words become feedback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from channel import Channel, declare, utc
from drops import FolderDrop

from patient_feedback.errors import FeedbackError
from patient_feedback.settings import Settings

CALL = {
    "call_id": "c1",
    "started_at": "2026-03-02T09:00:00Z",
    "ended_at": "2026-03-02T09:10:00Z",
    "channel": "phone",
    "service": "Booking line",
    "caller_number": "07700 900123",
    "agent": {"name": "Agnes Must Not Land"},
    "turns": [
        {
            "speaker": "Agnes Must Not Land",
            "role": "agent",
            "text": "This is Agnes, you are on 07700 900123?",
        },
        {
            "speaker": "Pat Must Not Land",
            "role": "Patient",
            "text": "I waited an hour.",
            "at": "2026-03-02T09:01:00Z",
        },
        {"speaker": "Agnes Must Not Land", "role": "agent", "text": "Sorry, Mr Must Not Land."},
        {"speaker": "Pat Must Not Land", "role": "patient", "text": "But the nurse was kind."},
    ],
}
WORDS = "I waited an hour.\nBut the nurse was kind."
KEPT = {
    "call_id", "status", "started_at", "ended_at", "channel", "service", "turn_count", "patient_turn_count",
    "patient_turns", "__line__",
}  # fmt: skip


def call(**changed: Any) -> dict[str, Any]:
    return {**CALL, **changed}


def turn(role: str, text: Any) -> dict[str, Any]:
    return {"speaker": "Somebody Must Not Land", "role": role, "text": text}


class Calls(FolderDrop):
    def deliver(self, name: str, *calls: Any) -> None:
        """Deliver calls as JSON Lines; a text is a line as it stands."""
        lines = [one if isinstance(one, str) else json.dumps(one) for one in calls]
        self.put(name, "\n".join(lines).encode())


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path / "calls")


@pytest.fixture
def channel(warehouse: Settings, tmp_path: Path, calls: Calls) -> Channel:
    return Channel(warehouse, declared(tmp_path, calls), None)


def declared(tmp_path: Path, calls: Calls, **fields: Any) -> Any:
    return declare(
        tmp_path, "calls", "transcript_file", where={"path": calls.path}, connection=None, **fields
    )


def payloads(channel: Channel) -> list[dict[str, Any]]:
    return [
        payload
        for (payload,) in channel.rows(
            "select payload from landing.record inner join landing.delivery using (delivery_id) "
            "order by file_modified_at, record_number"
        )
    ]


def test_patients_turns_are_the_comment_and_nothing_else_of_the_call_lands(
    channel: Channel, calls: Calls
) -> None:
    calls.deliver("1.jsonl", CALL)
    assert channel.run() == 1
    assert channel.said("call") == {"c1": WORDS}
    assert payloads(channel) == [
        {
            "call_id": "c1",
            "started_at": "2026-03-02T09:00:00+00:00",
            "ended_at": "2026-03-02T09:10:00+00:00",
            "channel": "phone",
            "service": "Booking line",
            "turn_count": 4,
            "patient_turn_count": 2,
            "patient_turns": WORDS,
        }
    ]
    [(service, way, turns)] = channel.rows(
        "select service_slug, channel_slug, source_metadata ->> 'patient_turn_count' from feedback.response"
    )
    assert (service, way, turns) == ("booking_line", "phone", "2")
    assert channel.run() == 0


LINES = {
    "nested names": call(service={"name": "Dr Must Not Land"}, channel=["07700 900123"], call_id="c1"),
    "cut line": json.dumps(CALL)[:-9],
    "turns that are no list": call(turns={"agent": "Agnes Must Not Land"}),
    "a text": json.dumps("Agnes Must Not Land"),
    "no turn's role": call(turns=[{"speaker": "Agnes Must Not Land", "text": "Must Not Land"}]),
    "a turn that is a text": call(turns=["Agnes Must Not Land", None, 7, ["Must Not Land"]]),
    "words that are no text": call(turns=[turn("patient", {"by": "Agnes Must Not Land"})]),
    "a role that is no text": call(turns=[{"role": ["patient"], "text": "Must Not Land"}]),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_other_word_name_or_number_lands_whatever_the_line_is(
    channel: Channel, calls: Calls, line: Any
) -> None:
    calls.deliver("1.jsonl", line, call(call_id="c2"))
    assert channel.run() == 2
    landed = json.dumps(payloads(channel))
    assert "Must Not Land" not in landed and "07700" not in landed
    assert all(set(payload) <= KEPT for payload in payloads(channel))
    assert channel.said("call")["c2"] == WORDS


def test_landed_file_stays_as_it_was_delivered(channel: Channel, calls: Calls) -> None:
    calls.deliver("1.jsonl", CALL)
    channel.run()
    [(url,)] = channel.rows("select landing_url from landing.delivery")
    assert Path(url.removeprefix("file://")).read_bytes() == (calls.folder / "1.jsonl").read_bytes()


def test_call_without_patients_turns_is_a_record_with_a_blank_comment(channel: Channel, calls: Calls) -> None:
    calls.deliver(
        "1.jsonl", call(turns=CALL["turns"][:1]), call(call_id="c2", turns=[]), call(call_id="c3", turns=None)
    )
    assert channel.run() == 3
    assert channel.said("call") == {"c1": "", "c2": "", "c3": ""}
    assert channel.rows("select distinct comment_state from feedback.comment") == [("blank",)]
    assert [payload["turn_count"] for payload in payloads(channel)] == [1, 0, 0]


def test_roles_are_those_that_are_declared(channel: Channel, calls: Calls, tmp_path: Path) -> None:
    spoken = [turn(role, f"by {role}") for role in ("patient", "caller", "carer", "mother", "agent")]
    calls.deliver("1.jsonl", call(turns=spoken))
    channel.run()
    assert channel.said("call") == {"c1": "by patient\nby caller\nby carer"}
    channel.source = declared(tmp_path, calls, format={"patient_roles": ["Mother"]})
    channel.run()
    assert channel.said("call") == {"c1": "by mother"}
    with pytest.raises(FeedbackError, match=r"format\.patient_roles"):
        declared(tmp_path, calls, format={"patient_roles": []})


def test_line_that_is_no_transcript_is_kept_as_a_record_with_its_reason(
    channel: Channel, calls: Calls
) -> None:
    calls.deliver("1.jsonl", json.dumps(CALL)[:-9], CALL)
    assert channel.run() == 2
    states = channel.rows("select record_number, defects, record_state from landing.record order by 1")
    assert states[0][1] == ["unreadable_line"]
    assert channel.said("call") == {"c1": WORDS}


def test_edited_transcript_shows_its_latest_words_and_a_repeated_one_counts_once(
    channel: Channel, calls: Calls
) -> None:
    for number, words in enumerate(("One", "Two", "One"), 1):
        calls.deliver(f"{number}.jsonl", call(turns=[turn("patient", words)]), call(call_id=f"more {number}"))
        channel.run()
        assert channel.said("call")["c1"] == words
    calls.deliver("copy.jsonl", call(turns=[turn("patient", "One")]))
    channel.run()
    assert channel.rows("select count(*) from feedback.response where source_record_ref = 'c1'") == [(1,)]


def test_other_speakers_corrected_words_are_no_new_version(channel: Channel, calls: Calls) -> None:
    calls.deliver("1.jsonl", CALL)
    channel.run()
    calls.deliver("2.jsonl", call(turns=[turn("agent", "Corrected"), *CALL["turns"][1:]]))
    channel.run()
    assert channel.rows("select record_state from landing.record order by 1") == [
        ("accepted",),
        ("duplicate",),
    ]


def test_deleted_call_takes_its_words_along(channel: Channel, calls: Calls) -> None:
    calls.deliver("1.jsonl", CALL, call(call_id="c2"))
    channel.run()
    calls.deliver("2.jsonl", {"call_id": "c1", "ended_at": CALL["ended_at"], "status": "deleted"})
    channel.run()
    assert channel.withdrawn == {"c1"}
    assert channel.said("call") == {"c2": WORDS}
    assert channel.rows("select count(*) from restricted.comment_original") == [(1,)]


def test_call_counts_on_the_local_day_of_its_end_however_its_clock_is_written(
    channel: Channel, calls: Calls
) -> None:
    calls.deliver(
        "1.jsonl",
        call(call_id="winter", ended_at="2026-03-28T23:30:00Z"),
        call(call_id="summer", ended_at="2026-03-29T23:30:00.5Z"),
        call(call_id="abroad", ended_at="2026-03-29T01:30:00+02:00"),
        call(call_id="no zone", ended_at="2026-07-01 23:30:00"),
    )
    channel.run()
    assert channel.days == {
        "winter": "2026-03-28",
        "summer": "2026-03-30",
        "abroad": "2026-03-28",
        "no zone": "2026-07-01",
    }


def test_late_call_counts_in_its_own_period_and_a_backfill_changes_nothing(
    channel: Channel, calls: Calls
) -> None:
    calls.deliver("1.jsonl", CALL)
    channel.run()
    calls.deliver("2.jsonl", call(call_id="late", ended_at="2026-02-20T09:00:00Z"))
    channel.run()
    assert channel.days["late"] == "2026-02-20"
    before = channel.rows("select * from feedback.comment order by comment_id")
    channel.run(window=(utc("2026-02-01"), utc("2026-03-01")))
    assert channel.rows("select * from feedback.comment order by comment_id") == before


@pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
def test_calls_of_a_clock_that_is_two_hours_off_are_read(channel: Channel, calls: Calls, hours: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = {"right": now, "off": now + timedelta(hours=hours), "right again": now}
    for name, ended_at in ends.items():
        calls.moment = int(ended_at.timestamp())
        calls.deliver(f"{name}.jsonl", call(call_id=name, ended_at=ended_at.isoformat()))
        assert channel.run() == 1
    channel.assert_shows("call", dict.fromkeys(ends, WORDS))
    assert channel.run() == 0


def test_column_that_the_mapping_reads_and_no_call_has_is_named(channel: Channel, calls: Calls) -> None:
    calls.deliver("1.jsonl", {name: value for name, value in CALL.items() if name != "ended_at"})
    channel.run()
    assert channel.rows("select missing_columns, unknown_columns from landing.delivery") == [
        (["ended_at"], ["caller_number", "agent"])
    ]


def drifted(one: dict[str, Any], was: str, now: str) -> dict[str, Any]:
    """Return the call as its source writes it since it changed."""
    if was == "turns":
        return {now if key == was else key: value for key, value in one.items()}
    if was == "Patient":
        turns = [
            {**spoken, "role": spoken["role"].lower().replace("patient", now)} for spoken in one["turns"]
        ]
    else:
        turns = [
            {now if key == was else key: value for key, value in spoken.items()} for spoken in one["turns"]
        ]
    return {**one, "turns": turns}


DRIFTS = {
    ("turns", "utterances"): "utterances",
    ("role", "speaker_role"): "turns.speaker_role",
    ("text", "content"): "turns.content",
    ("Patient", "Client"): "turns.role=client",
}


@pytest.mark.parametrize(("was", "now"), DRIFTS)
@pytest.mark.parametrize("changed_count", [4, 2])
def test_words_under_another_key_or_role_do_not_overwrite_those_that_are_held(
    channel: Channel, calls: Calls, was: str, now: str, changed_count: int
) -> None:
    bare = {key: value for key, value in CALL.items() if key not in ("caller_number", "agent")}
    held = [{**bare, "call_id": f"c{number}"} for number in range(4)]
    calls.deliver("1.jsonl", *held)
    channel.run_gated()
    changed = [drifted({**one, "service": "Other line"}, was, now) for one in held[:changed_count]]
    others = [{**bare, "call_id": f"new {number}"} for number in range(4 - changed_count)]
    calls.deliver("2.jsonl", *changed, *others)
    [failed] = channel.run_gated()
    assert failed >= {"FB-LND-006", "FB-LND-024" if others else "FB-LND-002"}
    channel.assert_shows("call", {one["call_id"]: WORDS for one in (*held, *others)})
    assert channel.rows("select unknown_columns from landing.delivery where file_name = '2.jsonl'") == [
        ([DRIFTS[was, now]],)
    ]
    assert "Must Not Land" not in json.dumps(payloads(channel))


def test_other_role_beside_the_patients_is_named_until_it_is_ignored(
    channel: Channel, calls: Calls, tmp_path: Path
) -> None:
    spoken = [*CALL["turns"], turn("Triage Officer", "Must Not Land"), turn("nurse", "Must Not Land")]
    officer = call(call_id="c2", turns=[turn("Triage Officer", "Must Not Land")])
    calls.deliver("1.jsonl", call(turns=spoken), officer)
    unknown = "select unknown_columns from landing.delivery"
    assert "FB-LND-024" in channel.run_gated()[0]
    assert channel.said("call") == {"c1": WORDS}
    assert channel.rows(unknown) == [(["caller_number", "agent", "turns.role=triage officer"],)]
    ignored = ["turns.role=Triage Officer", "caller_number", "agent"]
    channel.source = declared(tmp_path, calls, ignore_columns=ignored)
    assert "FB-LND-024" not in channel.run_gated()[0]
    assert channel.said("call") == {"c1": WORDS, "c2": ""}
    assert channel.rows(unknown) == [([],)]


def test_what_stands_for_a_role_or_key_and_may_be_words_is_not_named(channel: Channel, calls: Calls) -> None:
    names = [turn(f"Person {letter} Must Not Land", "Hello") for letter in "abcdefghijkl"]
    sentence = turn("Agnes, who Must Not Land: she told me to wait", "Hello")
    calls.deliver("1.jsonl", call(turns=[*CALL["turns"], *names]))
    calls.deliver("2.jsonl", call(call_id="c2", turns=[*CALL["turns"], sentence], **{"k" * 500: 1}))
    channel.run()
    rows = channel.rows("select unknown_columns from landing.delivery order by file_name")
    assert rows[0][0][2:] == ["turns.role=(more than 10)"]
    assert rows[1][0][2:] == ["k" * 60, "turns.role=(no name of a role)"]


def test_turn_in_which_nobody_speaks_takes_nothing_away(channel: Channel, calls: Calls) -> None:
    events = [{"event": "hold", "at": "2026-03-02T09:02:00Z"}, None, turn("system", {"code": 7})]
    calls.deliver("1.jsonl", call(turns=[*CALL["turns"], *events, turn("patient", None)]))
    channel.run_gated()
    assert channel.said("call") == {"c1": WORDS}


def test_file_without_a_line_is_refused(channel: Channel, calls: Calls) -> None:
    calls.put("1.jsonl", b"")
    channel.run()
    [(state, reason)] = channel.rows("select delivery_state, refusal_reason from landing.delivery")
    assert state == "refused" and "empty" in reason
