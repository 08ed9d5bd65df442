"""Closing the loop: statuses that people set on entries, what is refused, and what PHQ item 9 raises."""

from __future__ import annotations

import psycopg
import pytest

from patient_feedback.settings import Role, Settings
from patient_feedback.warehouse.connection import connect

SAID = """
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, delivery_state
) values ('d', 's', 'f', 'f', 1, now(), 'memory://', 'd', 'accepted');
insert into feedback.response (
    response_id, source_slug, source_record_ref, record_version, submitted_on_basis, received_at, delivery_id
) values ('r1', 's', 'r1', 1, 'declared', now(), 'd'), ('r2', 's', 'r2', 1, 'declared', now(), 'd');
insert into feedback.comment (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
    text_sha256, comment_text, redaction_version, delivery_id, record_number
) values ('c1', 'r1', 's', 'r1', 'q', 'open', 'text', 't1', 'They gave me the wrong tablets', '1', 'd', 1);
insert into analysis.serious_reading (text_sha256, detector_version, reading_basis, category_count)
values ('t1', 'v1', 'phrases', 1);
insert into analysis.serious_mention values ('t1', 'v1', 'harm', 'wrong_medicine');
insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, answer_state, delivery_id, record_number
) values
    ('r1', 'phq_9', '1', 'item_9', 0, 'answered', 'd', 1),
    ('r1', 'phq_9', '1', 'item_8', 3, 'answered', 'd', 1),
    ('r2', 'phq_9', '1', 'item_9', 2, 'answered', 'd', 2);
"""


@pytest.fixture
def said(warehouse: Settings) -> Settings:
    run(warehouse, SAID)
    return warehouse


def run(settings: Settings, statement: str, *parameters: object, role: Role = Role.PIPELINE) -> list[tuple]:
    with connect(settings, "test", role) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def entry_of(settings: Settings, comment_id: str = "c1") -> str:
    [(entry_id,)] = run(
        settings, "select distinct entry_id from analysis.serious_entry where comment_id = %s", comment_id
    )
    return str(entry_id)


def decide(
    settings: Settings, entry_id: str, decision: str, reason: str | None = None, by: str = "Ada Analyst",
    role: Role = Role.PIPELINE,
) -> None:  # fmt: skip
    run(
        settings,
        "insert into analysis.serious_decision (entry_id, decision, decided_by, decision_reason) "
        "values (%s, %s, %s, %s)",
        *(entry_id, decision, by, reason),
        role=role,
    )


def test_item_9_above_zero_raises_an_entry_and_zero_or_another_item_none(said: Settings) -> None:
    assert run(
        said,
        "select response_id, comment_id, category, basis from analysis.serious_entry where comment_id is null",
    ) == [("r2", None, "self_harm", "phq_9_item_9")]
    before = run(said, "select entry_id from analysis.serious_entry where response_id = 'r2'")
    run(said, "update feedback.answer set value_number = 3 where response_id = 'r2'")
    assert run(said, "select entry_id from analysis.serious_entry where response_id = 'r2'") != before


@pytest.mark.parametrize("role", [Role.ANALYST, Role.ENGINEER])
def test_analyst_and_engineer_take_on_close_and_reopen_which_the_ledger_keeps(
    said: Settings, role: Role
) -> None:
    entry = entry_of(said)
    decide(said, entry, "acknowledge", role=role)
    decide(said, entry, "acknowledge", by="Bo Matron", role=role)
    decide(said, entry, "close", "ward told", by="Bo Matron", role=role)
    decide(said, entry, "reopen", "it happened again", role=role)
    assert run(
        said,
        "select subject, actor, details ->> 'decision', details ->> 'role' from audit.ledger "
        "where action = 'serious_decided' order by ledger_id",
    ) == [
        (entry, "Ada Analyst", "acknowledge", str(role)),
        (entry, "Bo Matron", "acknowledge", str(role)),
        (entry, "Bo Matron", "close", str(role)),
        (entry, "Ada Analyst", "reopen", str(role)),
    ]
    assert run(said, "select 1 from audit.ledger where to_jsonb(ledger)::text like '%ward told%'") == []


def test_decision_that_cannot_hold_is_refused_and_says_what_to_do(said: Settings) -> None:
    entry = entry_of(said)
    for arguments, message in (
        (("nowhere", "acknowledge"), 'there is no entry "nowhere"'),
        ((entry, "acknowledge", None, " "), "give decided_by"),
        ((entry, "close"), "to close an entry say why"),
        ((entry, "close", "  "), "to close an entry say why"),
        ((entry, "reopen", "why not"), "the entry is open"),
    ):
        with pytest.raises(psycopg.errors.RaiseException, match=message):
            decide(said, *arguments)
    with pytest.raises(psycopg.errors.CheckViolation):
        decide(said, entry, "ignore", "a reason")
    decide(said, entry, "close", "done")
    for decision in ("acknowledge", "close"):
        with pytest.raises(psycopg.errors.RaiseException, match="the entry is closed: insert the decision"):
            decide(said, entry, decision, "again")
    decide(said, entry, "reopen", "not done")
    with pytest.raises(psycopg.errors.RaiseException, match="to reopen an entry say why"):
        decide(said, entry, "reopen")
    assert run(said, "select decision from analysis.serious_decision order by decision_id") == [
        ("close",),
        ("reopen",),
    ]


@pytest.mark.parametrize("role", [Role.ANALYST, Role.ENGINEER])
def test_nobody_changes_a_decision_or_dates_it_back(said: Settings, role: Role) -> None:
    decide(said, entry_of(said), "acknowledge")
    for statement in (
        "update analysis.serious_decision set decided_by = 'X'",
        "delete from analysis.serious_decision",
        "insert into analysis.serious_decision (entry_id, decision, decided_by, decided_at) "
        "values ('x', 'acknowledge', 'X', '2020-01-01')",
        "insert into analysis.serious_mention values ('t1', 'v1', 'self_harm', 'x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(said, statement, role=role)
    with pytest.raises(psycopg.errors.RaiseException, match="insert-only"):
        run(said, "delete from analysis.serious_decision")


def test_auditor_decides_nothing(said: Settings) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        decide(said, entry_of(said), "acknowledge", role=Role.AUDITOR)


def test_entry_keeps_its_id_under_another_detector_and_gets_a_new_one_with_a_new_text(said: Settings) -> None:
    entry = entry_of(said)
    run(
        said,
        "insert into analysis.serious_reading (text_sha256, detector_version, reading_basis, category_count) "
        "values ('t1', 'v2', 'phrases', 1), ('t2', 'v2', 'phrases', 1); "
        "insert into analysis.serious_mention values ('t1', 'v2', 'harm', 'x'), ('t2', 'v2', 'harm', 'x')",
    )
    assert entry_of(said) == entry
    run(said, "update feedback.comment set text_sha256 = 't2' where comment_id = 'c1'")
    assert entry_of(said) != entry
    with pytest.raises(psycopg.errors.RaiseException, match="there is no entry"):
        decide(said, entry, "acknowledge")


def test_withdrawn_response_leaves_the_worklist(said: Settings) -> None:
    run(said, "update feedback.response set is_withdrawn = true")
    assert run(said, "select 1 from analysis.serious_entry") == []
