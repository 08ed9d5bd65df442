from __future__ import annotations

from patient_feedback.themes.match import ThemeMatch
from patient_feedback.themes.slugs import decide_slugs, theme_slug


def test_slug_is_made_of_the_label() -> None:
    assert theme_slug("Waiting Time, Café & Parking", set()) == "waiting_time_cafe_parking"


def test_long_label_is_cut_after_a_whole_word() -> None:
    slug = theme_slug("Staff listening, understanding and involving patients, Head, Talked", set())
    assert slug == "staff_listening_understanding_and_involving_patients_head"
    assert theme_slug("x" * 80, set()) == "x" * 60


def test_slug_once_given_is_never_given_again() -> None:
    assert theme_slug("Food", {"food"}) == "food_2"
    assert theme_slug("Food", {"food", "food_2"}) == "food_3"


def test_label_without_letters_still_has_a_slug() -> None:
    assert theme_slug("…", {"theme"}) == "theme_2"


def test_retired_slug_is_not_revived_by_a_new_theme_of_the_same_name() -> None:
    decisions = decide_slugs(
        ["Food", "Food"], [ThemeMatch(0, None), ThemeMatch(1, None)], ["parking"], taken={"food", "parking"}
    )
    assert [(d.slug, d.is_new) for d in decisions] == [("food_2", True), ("food_3", True)]


def test_theme_that_goes_on_keeps_its_slug_under_another_label() -> None:
    [decision] = decide_slugs(["Meals"], [ThemeMatch(0, 0)], ["food"], taken={"food"})
    assert (decision.slug, decision.is_new) == ("food", False)
