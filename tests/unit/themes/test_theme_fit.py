from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from patient_feedback.themes.assign import UNASSIGNED, ThemeCentres, assign_themes
from patient_feedback.themes.fit import ThemeModel, ThemeSettings, fit_themes

SUBJECTS = {
    "waiting": "The waiting time for the appointment was {}",
    "food": "Hospital food and meals were {}",
    "parking": "Parking near the car park barrier was {}",
    "staff": "Friendly nurses and helpful doctors were {}",
    "noise": "Noise at night on the ward was {}",
}
DIMENSIONS = 24


def comments(per_subject: int) -> tuple[list[str], NDArray[np.float32]]:
    """Texts on five subjects, and vectors that lie near their subject's direction."""
    texts, vectors = [], []
    for place, pattern in enumerate(SUBJECTS.values()):
        for number in range(per_subject):
            text = pattern.format(f"remark{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}")
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
            vector = np.random.default_rng(seed).normal(scale=0.08, size=DIMENSIONS)
            vector[place] += 1.0
            texts.append(text)
            vectors.append(vector / np.linalg.norm(vector))
    return texts, np.array(vectors, np.float32)


@pytest.fixture(scope="module")
def fitted() -> tuple[list[str], NDArray[np.float32], ThemeModel]:
    texts, vectors = comments(60)
    return texts, vectors, fit_themes(texts, vectors)


def test_themes_follow_the_subjects_and_are_named_after_them(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    _, _, model = fitted
    assert len(model.labels) == 5
    named = " | ".join(model.labels).lower()
    for word in ("waiting", "food", "park", "nurses", "noise"):
        assert word in named
    assert sum(model.member_counts) == 300


def test_names_hold_no_stop_words_marks_or_repeated_words(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    texts, vectors, _ = fitted
    marked = [f"[PERSON] and the {text} with [PHONE]" for text in texts]
    model = fit_themes(marked, vectors)
    for label, keywords in zip(model.labels, model.keywords, strict=True):
        words = [word for phrase in keywords for word in phrase.split()]
        assert not {"person", "phone", "the", "and", "was", "were"} & set(words)
        label_words = label.replace(",", "").lower().split()
        assert len(label_words) == len(set(label_words))
    assert len(set(model.labels)) == len(model.labels)


def test_exemplars_are_members_of_their_theme(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    texts, vectors, model = fitted
    themes = assign_themes(texts, vectors, replace(model.centres, threshold=0.0)).themes
    for theme, exemplars in enumerate(model.exemplars):
        assert exemplars
        assert {int(themes[i]) for i in exemplars} == {theme}


def test_order_of_the_sample_changes_nothing(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    texts, vectors, model = fitted
    again = fit_themes(texts[::-1], vectors[::-1])
    np.testing.assert_array_equal(again.centroids, model.centroids)
    assert (again.labels, again.keywords, again.threshold) == (model.labels, model.keywords, model.threshold)


def test_fit_on_nine_tenths_of_the_texts_finds_the_same_themes(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    texts, vectors, model = fitted
    kept = np.random.default_rng(1).permutation(len(texts))[: len(texts) * 9 // 10]
    refit = fit_themes([texts[i] for i in kept], vectors[kept])
    themes = assign_themes(texts, vectors, replace(refit.centres, threshold=0.0)).themes
    before = assign_themes(texts, vectors, replace(model.centres, threshold=0.0)).themes
    assert len(set(zip(themes.tolist(), before.tolist(), strict=True))) == 5


def test_comment_unlike_every_theme_is_unassigned(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    _, _, model = fitted
    stranger = np.zeros((1, DIMENSIONS), np.float32)
    stranger[0, -1] = 1.0
    found = assign_themes(["Zebras"], stranger, model.centres)
    assert found.themes[0] == UNASSIGNED
    assert found.confidences[0] < model.threshold


@pytest.mark.parametrize("text", ["Nothing.", "N/A", "no comment", "[PERSON]", "", "Can’t think of anything"])
def test_contentless_comment_is_unassigned_however_near_its_vector(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel], text: str
) -> None:
    _, vectors, model = fitted
    found = assign_themes([text], vectors[:1], model.centres)
    assert (found.themes[0], found.confidences[0]) == (UNASSIGNED, 0.0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_texts_give_no_themes(count: int) -> None:
    texts, vectors = comments(1)
    model = fit_themes(texts[:count], vectors[:count])
    assert model.labels == ()
    themes = assign_themes(texts, vectors, model.centres).themes
    assert set(themes.tolist()) == {UNASSIGNED}


def test_kept_centres_assign_alike(fitted: tuple[list[str], NDArray[np.float32], ThemeModel]) -> None:
    texts, vectors, model = fitted
    kept = ThemeCentres.from_bytes(model.centres.to_bytes())
    before, after = assign_themes(texts, vectors, model.centres), assign_themes(texts, vectors, kept)
    np.testing.assert_array_equal(after.themes, before.themes)
    np.testing.assert_array_equal(after.subthemes, before.subthemes)
    np.testing.assert_array_equal(after.confidences, before.confidences)


def readers(*places: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Topic readers that answer to these directions of the vectors."""
    weights = np.zeros((DIMENSIONS, len(places)), np.float32)
    weights[list(places), range(len(places))] = 12.0
    return weights, np.full(len(places), -6.0, np.float32)


def test_topics_anchor_themes_and_a_subject_without_a_topic_is_found() -> None:
    texts, vectors = comments(60)
    weights, offsets = readers(0, 1, 2, 3)
    topics = ["Timeliness of care", "Food and drink", "Parking", "Staff manner"]
    model = fit_themes(texts, vectors, topic_weights=weights, topic_offsets=offsets, topic_labels=topics)
    assert (model.criterion["anchored"], model.criterion["found"]) == (4, 1)
    anchored = [label for label in model.labels if label.split(":")[0] in topics]
    assert len(anchored) == 4
    [found] = set(model.labels) - set(anchored)
    assert "noise" in found.lower()
    themes = assign_themes(texts, vectors, model.centres).themes.reshape(5, 60)
    assert all(len(set(row[row >= 0].tolist())) == 1 for row in themes)
    assert (themes >= 0).mean() >= 0.97


def test_topic_that_no_text_speaks_of_is_no_theme() -> None:
    texts, vectors = comments(60)
    weights, offsets = readers(0, 1, 2, 3, 4, 10)
    labels = ["Waiting", "Meals", "Cars", "Manner", "Sound", "Zebras"]
    model = fit_themes(texts, vectors, topic_weights=weights, topic_offsets=offsets, topic_labels=labels)
    assert len(model.labels) == 5
    assert not any("Zebras" in label for label in model.labels)


def test_theme_that_shrinks_below_the_minimum_stays_while_the_set_before_had_it() -> None:
    texts, vectors = comments(60)
    # Four comments in 244 speak of cars: 1.6 %, between the two shares.
    few = [i for i in range(len(texts)) if i // 60 != 2 or i % 60 < 4]
    settings = ThemeSettings(minimum_anchored_share=0.02, kept_anchored_share=0.01)
    weights, offsets = readers(0, 1, 2, 3, 4)

    def topics_of(previous: tuple[int, ...]) -> set[int | None]:
        model = fit_themes(
            [texts[i] for i in few],
            vectors[few],
            settings,
            topic_weights=weights,
            topic_offsets=offsets,
            previous_topics=previous,
        )
        return set(model.topics)

    assert topics_of(()) == {0, 1, 3, 4}
    assert topics_of((0, 2)) == {0, 1, 2, 3, 4}


def test_theme_of_two_subjects_has_subthemes_that_assignment_finds() -> None:
    texts, vectors = comments(60)
    weights, offsets = readers(0, 1, 2, 3)
    weights[4, 0] = 12.0
    model = fit_themes(texts, vectors, topic_weights=weights, topic_offsets=offsets)
    found = assign_themes(texts, vectors, replace(model.centres, threshold=0.0))
    parent = int(found.themes[0])
    assert set(found.themes[240:].tolist()) == {parent}
    assert len(model.subthemes[parent].labels) == 2
    assert len(set(found.subthemes[:60].tolist()) | set(found.subthemes[240:].tolist())) == 2
    assert found.subthemes[0] != found.subthemes[240]
    every = [*model.labels, *(label for one in model.subthemes for label in one.labels)]
    assert len(set(every)) == len(every)


def test_readers_of_another_encoder_are_refused() -> None:
    texts, vectors = comments(6)
    weights, offsets = readers(0, 1)
    with pytest.raises(ValueError, match="readers of the encoder"):
        fit_themes(texts, vectors, topic_weights=weights[:-1], topic_offsets=offsets)


def test_confidence_tells_a_clear_comment_from_one_between_two_themes(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    _, vectors, model = fitted
    between = vectors[0] + vectors[60]
    both = np.stack([vectors[0], between / np.linalg.norm(between)])
    confidences = assign_themes(["Waiting", "Waiting for food"], both, model.centres).confidences
    assert 0.5 < confidences[0] <= 1.0
    assert confidences[1] < 0.6 < confidences[0]


def test_assignment_does_not_depend_on_how_many_texts_are_read_at_once(
    fitted: tuple[list[str], NDArray[np.float32], ThemeModel],
) -> None:
    texts, vectors, model = fitted
    whole = assign_themes(texts, vectors, model.centres)
    one = [assign_themes(texts[i : i + 1], vectors[i : i + 1], model.centres) for i in range(0, 300, 25)]
    assert [float(found.confidences[0]) for found in one] == whole.confidences[::25].tolist()


def test_label_may_be_proposed_by_a_model_of_the_house() -> None:
    texts, vectors = comments(60)

    def propose(keywords: Sequence[str], exemplars: Sequence[str]) -> str | None:
        assert exemplars
        return "Getting a seat in the car park" if any("park" in keyword for keyword in keywords) else None

    model = fit_themes(texts, vectors, propose_label=propose)
    assert "Getting a seat in the car park" in model.labels


def test_contentless_texts_alone_give_no_themes() -> None:
    texts = [f"Nothing{'.' * n}" for n in range(50)]
    assert fit_themes(texts, np.tile(comments(1)[1][:1], (50, 1))).labels == ()


def test_thirty_texts_give_few_themes_and_identical_vectors_do_not_break_the_fit() -> None:
    texts, vectors = comments(6)
    assert 1 <= len(fit_themes(texts, vectors).labels) <= 5
    assert len(fit_themes(texts, np.tile(vectors[:1], (30, 1))).labels) == 1
