"""What people decide about themes holds after every refit, and what cannot hold is refused with the way out."""

from __future__ import annotations

import psycopg
import pytest

from patient_feedback.settings import Role
from patient_feedback.warehouse.connection import connect


@pytest.fixture
def three(registry, planned):
    """A registry with the themes phone, queue and nurses, and what a fit must find to find them again."""
    phone, queue, nurses = (
        registry.add_texts(subject, 12)
        for subject in ("phone queue hold", "appointment cancellation reminder", "nurse kindness smile")
    )
    found = [
        planned("Phone", phone, [planned("Engaged", phone[:6]), planned("Cut off", phone[6:])]),
        planned("Queue", queue),
        planned("Nurses", nurses),
    ]
    registry.refit(*found)
    return registry, found


def relabelled(planned, found, label="Other words"):
    return [planned(f"{label} {number}", one.hashes, one.subthemes) for number, one in enumerate(found)]


def test_approved_label_is_never_overwritten_and_a_proposed_one_follows_the_words(three, planned):
    registry, found = three
    registry.decide("phone", "approve", theme_label="Getting through by phone")
    registry.decide("queue", "rename", theme_label="Queueing")
    registry.decide("nurses", "approve")
    registry.refit(*relabelled(planned, found))
    assert registry.current_slugs() == {"phone", "queue", "nurses"}
    assert registry.theme("phone").label == "Getting through by phone"
    assert (registry.theme("queue").label, registry.theme("queue").status) == ("Queueing", "proposed")
    assert (registry.theme("nurses").label, registry.theme("nurses").status) == ("Nurses", "approved")
    registry.decide("queue", "undo")
    assert registry.theme("queue").label == "Other words 1"


def test_approved_theme_stays_approved_when_a_fit_no_longer_finds_it(three):
    registry, found = three
    registry.decide("phone", "approve")
    registry.refit(*found[1:])
    assert registry.theme("phone").status == "approved"
    assert "phone" not in registry.current_slugs()


def test_merged_theme_counts_as_its_target_after_a_refit_whole_or_in_parts(three, planned):
    registry, found = three
    registry.decide("queue", "merge", merged_into_slug="phone")
    registry.refit(*relabelled(planned, found))
    assert (registry.theme("queue").status, registry.theme("queue").merged_into) == ("merged", "phone")
    assert registry.slug_of(found[1].hashes) == "queue"

    first, second = planned("First", found[1].hashes[:7]), planned("Second", found[1].hashes[7:])
    registry.refit(found[0], first, second, found[2])
    assert registry.theme("second").merged_into == "queue", "a part of a merged theme is merged too"
    assert registry.theme("second").status == "merged"
    registry.decide("queue", "undo")
    assert [registry.theme(slug).status for slug in ("queue", "second")] == ["proposed", "proposed"]


def test_target_that_only_lives_on_in_what_was_merged_into_it_is_not_retired(three):
    registry, found = three
    registry.decide("phone", "merge", merged_into_slug="queue")
    registry.refit(found[0], found[2])
    assert registry.theme("queue").status == "proposed"
    registry.decide("phone", "undo")
    assert registry.theme("queue").status == "retired"


def test_theme_retired_by_people_does_not_come_back_by_itself(three, planned):
    registry, found = three
    registry.decide("queue", "retire")
    registry.refit(*relabelled(planned, found))
    assert registry.theme("queue").status == "retired"
    assert registry.current_slugs() == {"phone", "queue", "nurses"}, "its texts must not get a new name"
    registry.decide("queue", "undo")
    assert registry.theme("queue").status == "proposed"


def test_chain_of_mergers_stands_and_a_circle_is_refused(three):
    registry, _ = three
    registry.decide("phone", "merge", merged_into_slug="queue")
    with pytest.raises(
        psycopg.errors.RaiseException, match='"phone" already counts as "queue"; undo that first'
    ):
        registry.decide("queue", "merge", merged_into_slug="phone")
    with pytest.raises(psycopg.errors.RaiseException, match='merge "nurses" into "queue"'):
        registry.decide("nurses", "merge", merged_into_slug="phone")
    registry.decide("queue", "merge", merged_into_slug="nurses")
    with pytest.raises(psycopg.errors.RaiseException, match='"phone" already counts as "nurses"'):
        registry.decide("nurses", "merge", merged_into_slug="phone")
    assert registry.theme("phone").merged_into == "queue"
    assert registry.theme("queue").merged_into == "nurses"


def test_part_that_people_set_apart_and_merge_the_whole_into_makes_no_circle(three, planned):
    registry, found = three
    registry.decide("queue", "merge", merged_into_slug="phone")
    second = planned("Second", found[1].hashes[7:])
    registry.refit(found[0], planned("Queue", found[1].hashes[:7]), second, found[2])
    registry.decide("second", "approve")
    registry.decide("phone", "merge", merged_into_slug="second")
    registry.decide("second", "undo")
    merged_into = {slug: registry.theme(slug).merged_into for slug in ("queue", "phone", "second")}
    assert merged_into == {"queue": "phone", "phone": "second", "second": None}


REFUSED = (
    ({"theme_slug": "phon", "decision": "approve"}, 'there is no theme "phon"'),
    ({"decision": "approve", "decided_by": " "}, "needs who and why"),
    ({"decision": "retire", "decision_reason": ""}, "needs who and why"),
    ({"decision": "rename"}, "give its new name as theme_label"),
    ({"decision": "retire", "theme_label": "X"}, "approve or rename gives one"),
    ({"decision": "merge"}, "merged_into_slug goes with merge"),
    ({"decision": "approve", "merged_into_slug": "queue"}, "merged_into_slug goes with merge"),
    ({"decision": "merge", "merged_into_slug": "nowhere"}, 'no theme "nowhere" to merge into'),
    ({"decision": "merge", "merged_into_slug": "phone"}, "name another theme"),
    ({"decision": "merge", "merged_into_slug": "engaged"}, "merge a theme into a theme"),
    ({"decision": "undo"}, "nothing was decided"),
)


def test_decision_that_cannot_hold_is_refused_and_says_what_to_do(three):
    registry, _ = three
    for decision, message in REFUSED:
        with pytest.raises(psycopg.errors.RaiseException, match=message):
            registry.decide(**{"theme_slug": "phone", **decision})
    registry.decide("queue", "retire")
    with pytest.raises(psycopg.errors.RaiseException, match='"queue" was retired by people: undo that first'):
        registry.decide("phone", "merge", merged_into_slug="queue")
    assert registry.rows("select theme_slug from analysis.theme_decision") == [("queue",)]


@pytest.mark.parametrize("role", [Role.ANALYST, Role.ENGINEER])
def test_analyst_and_engineer_decide_in_one_step_which_the_ledger_keeps(three, role):
    registry, _ = three
    with connect(registry.settings, "test", role) as connection:
        connection.execute(
            "insert into analysis.theme_decision (theme_slug, decision, theme_label, decided_by, decision_reason) "
            "values ('phone', 'approve', 'By phone', 'Ada Analyst', 'read forty comments')"
        )
    assert (registry.theme("phone").label, registry.theme("phone").status) == ("By phone", "approved")
    assert registry.rows(
        "select subject, actor, details ->> 'decision', details ->> 'role' from audit.ledger "
        "where action = 'theme_decided'"
    ) == [("phone", "Ada Analyst", "approve", str(role))]


@pytest.mark.parametrize("role", [Role.ANALYST, Role.ENGINEER])
def test_nobody_else_changes_a_decision_or_a_theme(three, role):
    registry, _ = three
    registry.decide("phone", "approve")
    for statement in (
        "update analysis.theme set theme_label = 'X'",
        "update analysis.theme_decision set decided_by = 'X'",
        "delete from analysis.theme_decision",
        "select analysis.settle_themes()",
    ):
        with connect(registry.settings, "test", role) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement)
    with pytest.raises(psycopg.errors.RaiseException, match="insert-only"):
        registry.rows("delete from analysis.theme_decision returning 1")
