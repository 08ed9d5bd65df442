from __future__ import annotations

import numpy as np

from patient_feedback.themes.naming import name_themes


def labels(*themes: list[str]) -> list[str]:
    """Return the labels of themes that are given by their members."""
    texts = [text for members in themes for text in members]
    ends = np.cumsum([len(members) for members in themes])
    return [name.label for name in name_themes(texts, np.split(np.arange(len(texts)), ends[:-1]), ("en",))]


PARKING = ["Parking and barrier", "Excellent parking, barrier", "Excellent parking by the barrier"]
PRAISE = ["Everything perfect", "Everything was perfect", "Perfect, everything"]


def test_label_of_a_subject_leaves_praise_out() -> None:
    [parking, _] = labels(PARKING * 4, ["Noise at night"] * 12)
    assert parking == "Barrier, parking"


def test_theme_that_only_praises_says_that_it_is_general() -> None:
    _, praise = labels(PARKING * 4, PRAISE * 4)
    assert praise == "General: everything, perfect"


def test_rare_subject_does_not_name_a_theme_that_mostly_praises() -> None:
    _, praise = labels(PARKING * 4, [*["Perfect"] * 40, *["Physiotherapy"] * 4])
    assert praise.startswith("General: perfect")


def test_general_themes_of_the_same_words_get_labels_of_their_own() -> None:
    _, one, other = labels(PARKING * 8, PRAISE * 4, PRAISE * 3)
    assert one != other
    assert all(label.startswith("General: ") for label in (one, other))


def test_theme_without_any_word_is_called_other() -> None:
    assert labels(["12345"] * 4, PARKING)[0] == "Other"


def test_small_subtheme_of_a_large_theme_is_named_by_its_own_comments() -> None:
    texts = [*["Long wait in the corridor"] * 2_003, *["Wait, broken lift"] * 5, *["Noise at night"] * 500]
    waiting, lift = np.arange(2_008), np.arange(2_003, 2_008)
    name, _ = name_themes(
        texts, [waiting, np.arange(2_008, 2_508)], ("en",), subthemes=[[np.arange(2_003), lift], []]
    )
    assert "lift" in name.subthemes[1].label.lower()


def test_what_one_comment_alone_says_names_nothing() -> None:
    members = ["Priya helped", "Barrier broken", "Barrier open"]
    [name, _] = name_themes([*members, *["Noise"] * 9], [np.arange(3), np.arange(3, 12)], ("en",))
    assert name.keywords == ("barrier",)


def test_word_names_only_the_theme_that_it_says_most_of() -> None:
    waiting, phoning, _ = labels(
        ["Long wait in clinic", "The wait, corridor"] * 6,
        ["Phone, wait", "Phone engaged", "Phone number engaged", "Phone wait, engaged"] * 3,
        ["Noise at night"] * 12,
    )
    assert "wait" in waiting.lower()
    assert "wait" not in phoning.lower()


def test_keywords_leave_praise_out_where_enough_subjects_are_left() -> None:
    food = [
        "Lovely breakfast, lunch",
        "Lovely dinner, menu",
        "Lovely pudding, breakfast",
        "Lunch, menu, dinner",
    ]
    texts = [*food * 6, *["Noise at night"] * 24]
    [name, _] = name_themes(texts, [np.arange(24), np.arange(24, 48)], ("en",))
    assert {"breakfast", "lunch", "dinner", "menu"} <= set(name.keywords)
    assert "lovely" not in name.keywords
