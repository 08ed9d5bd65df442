"""Which theme goes on as which, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest

from patient_feedback.themes.lineage import followed_themes, trace_lineage
from patient_feedback.themes.match import match_themes, shared_members


def flows(*counts: tuple[int, int, int], previous: int, new: int):
    """Return shared members from (previous theme, new theme, texts), -1 for unassigned."""
    return shared_members(
        np.repeat([old for old, _, _ in counts], [n for _, _, n in counts]),
        np.repeat([now for _, now, _ in counts], [n for _, _, n in counts]),
        previous,
        new,
    )


def partners(matches):
    return {match.new_index: match.previous_index for match in matches}


def relations(shared, matched):
    known = {new: old for new, old in matched.items() if old is not None}
    return {(e.previous_index, e.new_index, str(e.relation)) for e in trace_lineage(shared, known)}


def test_theme_goes_on_where_its_texts_are_whatever_the_centres_say():
    shared = flows((0, 1, 20), (1, 0, 20), previous=2, new=2)
    assert partners(match_themes(shared, np.eye(2))) == {0: 1, 1: 0}


def test_centres_decide_only_where_too_few_texts_are_shared():
    near = np.array([[0.95]])
    assert partners(match_themes(flows((0, 0, 2), previous=1, new=1), near)) == {0: 0}
    assert partners(match_themes(flows((0, -1, 20), previous=1, new=1), near)) == {0: None}
    assert partners(match_themes(flows(previous=1, new=1), None)) == {0: None}


def test_larger_part_of_a_split_theme_goes_on_and_the_other_is_recorded():
    shared = flows((0, 0, 12), (0, 1, 18), previous=1, new=2)
    matched = partners(match_themes(shared))
    assert matched == {0: None, 1: 0}
    assert relations(shared, matched) == {(0, 1, "kept"), (0, 0, "split")}


def test_of_two_merged_themes_the_larger_goes_on():
    shared = flows((0, 0, 30), (1, 0, 10), previous=2, new=1)
    matched = partners(match_themes(shared))
    assert matched == {0: 0}
    assert relations(shared, matched) == {(0, 0, "kept"), (1, 0, "merged")}


def test_theme_that_scatters_is_retired_and_one_of_unread_or_scattered_texts_is_new():
    shared = flows((0, 1, 6), (0, 2, 6), (0, 3, 6), (1, 1, 30), (2, 2, 30), (3, 3, 30), previous=4, new=5)
    matched = partners(match_themes(shared))
    assert matched == {0: None, 1: 1, 2: 2, 3: 3, 4: None}
    assert relations(shared, matched) >= {(0, None, "retired"), (None, 4, "new"), (None, 0, "new")}


@pytest.mark.parametrize("seed", range(5))
def test_every_theme_of_both_sets_is_accounted_for_and_no_slug_goes_to_two(seed):
    random = np.random.default_rng(seed)
    shared = shared_members(random.integers(-1, 9, 300), random.integers(-1, 7, 300), 9, 7)
    matched = partners(match_themes(shared, random.random((9, 7))))
    kept = [old for old in matched.values() if old is not None]
    assert len(kept) == len(set(kept))
    entries = relations(shared, matched)
    assert sorted(old for old, _, relation in entries if relation in ("kept", "merged", "retired")) == list(
        range(9)
    )
    assert {new for _, new, _ in entries if new is not None} == set(range(7))


def test_subtheme_is_looked_for_in_its_own_theme_first():
    # Both candidates hold half of the subtheme; the second is a little larger but lies in another theme.
    shared = flows((0, 0, 10), (0, 1, 11), previous=1, new=2)
    assert partners(match_themes(shared, None, [0], [0, 1])) == {0: 0, 1: None}
    assert partners(match_themes(shared, None, [-1], [0, 1])) == {0: None, 1: 0}


def test_new_theme_follows_the_one_that_held_most_of_its_texts():
    shared = flows((0, 0, 12), (0, 1, 18), (1, 2, 3), (0, 2, 1), (-1, 2, 9), previous=2, new=3)
    assert followed_themes(shared, {1: 0}) == {0: 0}
