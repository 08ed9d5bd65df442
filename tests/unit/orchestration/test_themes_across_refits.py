"""What becomes of slugs over several fits of growing feedback: kept, split, merged, retired, never given twice."""

from __future__ import annotations

import pytest

PARKING, NURSES, PHONE, FOOD, LETTERS, NOISE = SUBJECTS = (
    "parking machine ticket",
    "nurse kindness smile",
    "phone queue hold",
    "cold food breakfast",
    "discharge letter tablets",
    "noise corridor night",
)


def lineage(registry, level="theme"):
    """Return (previous slug, slug, relation) of the set in force."""
    return set(
        registry.rows(
            "select previous_theme_slug, theme_lineage.theme_slug, relation from analysis.theme_lineage "
            "inner join analysis.theme_set using (theme_set_id) where is_current and theme_level = %s",
            level,
        )
    )


def test_slugs_stay_while_feedback_grows_from_half_to_three_quarters_to_all(registry):
    first: set[str] = set()
    for seed, count in enumerate((30, 15, 15)):
        for subject in SUBJECTS:
            registry.add_texts(subject, count, seed=seed)
        registry.run()
        first = first or registry.current_slugs()
        assert first <= registry.current_slugs()
    assert len(first) > 3
    assert registry.rows("select count(*) from analysis.theme_set") == [(3,)], (
        "each growth must be fitted anew"
    )


def test_running_again_on_the_same_texts_changes_nothing(registry):
    for subject in (PARKING, NURSES, PHONE):
        registry.add_texts(subject, 12)
    registry.run()
    tables = ("theme", "theme_set", "theme_set_member", "theme_lineage", "theme_assignment", "theme_mention")

    def contents():
        return {
            table: sorted(registry.rows(f"select t::text from analysis.{table} as t")) for table in tables
        }

    before = contents()
    registry.run()
    registry.run(must_refit=True)
    assert before == contents()
    assert registry.rows("select count(*) from analysis.theme_drift") == [(3,)]


def test_split_and_merger_are_recorded_with_the_share_of_texts(registry, planned):
    phone, food = registry.add_texts(PHONE, 12), registry.add_texts(FOOD, 12)
    hot, cold = registry.add_texts(PARKING, 12), registry.add_texts(NURSES, 8)
    registry.refit(planned("Phone", phone), planned("Food", food), planned("Places", [*hot, *cold]))
    registry.refit(
        planned("Phone and food", [*phone, *food]), planned("Parking", hot), planned("Nurses", cold)
    )
    [(old, kept)] = [(old, new) for old, new, relation in lineage(registry) if relation == "merged"]
    assert {old, kept} == {"phone", "food"}
    assert lineage(registry) == {
        (kept, kept, "kept"),
        (old, kept, "merged"),
        ("places", "places", "kept"),
        ("places", "nurses", "split"),
    }
    [(share,)] = registry.rows(
        "select shared_member_share from analysis.theme_lineage where relation = 'split'"
    )
    assert share == pytest.approx(0.4, abs=0.05)
    assert registry.theme(old).status == "retired"
    assert registry.slug_of(hot) == "places", "the larger part goes on under the name"


def test_retired_slug_is_never_given_again(registry, planned):
    phone, food, nurses = (registry.add_texts(subject, 12) for subject in (PHONE, FOOD, NURSES))
    registry.refit(planned("Phone", phone), planned("Nurses", nurses))
    registry.refit(planned("Nurses", nurses))
    assert (registry.slug_of(phone), registry.theme("phone").status) == (None, "retired")
    registry.refit(planned("Phone", [*phone, *food]), planned("Nurses", nurses))
    assert registry.current_slugs() == {"phone_2", "nurses"}
    assert registry.theme("phone").status == "retired"


def test_subthemes_keep_their_slugs_within_their_theme_and_are_found_again_elsewhere(registry, planned):
    phone, food, noise = (registry.add_texts(subject, 12) for subject in (PHONE, FOOD, NOISE))
    queue, hold = phone[:6], phone[6:]
    registry.refit(
        planned("Phone", phone, [planned("Queue", queue), planned("On hold", hold)]),
        planned("Ward", [*food, *noise], [planned("Food", food), planned("Noise", noise)]),
    )
    assert registry.current_slugs("subtheme") == {"queue", "on_hold", "food", "noise"}
    registry.refit(
        planned("Ward at night", noise),
        planned(
            "Telephone",
            [*phone, *food],
            [planned("Holding", hold), planned("Line", queue), planned("Meals", food)],
        ),
    )
    assert registry.current_slugs("subtheme") == {"queue", "on_hold", "food"}
    assert dict(
        registry.rows(
            "select theme_slug, parent_theme_slug from analysis.theme where theme_level = 'subtheme'"
        )
    ) == {"queue": "phone", "on_hold": "phone", "food": "phone", "noise": "ward"}
    assert ("noise", None, "retired") in lineage(registry, "subtheme")


def test_slugs_go_on_under_another_encoder_by_shared_texts_alone(registry, planned):
    groups = [registry.add_texts(subject, 12) for subject in (PARKING, NURSES, PHONE)]
    registry.refit(*(planned(name, group) for name, group in zip("ABC", groups, strict=True)))
    registry.encoder = "other"
    # The other encoder puts each subject where the first one put the next: its centres would mislead.
    for sha256, vector in registry.rows("select text_sha256, embedding::text from analysis.embedding"):
        numbers = vector.strip("[]").split(",")
        registry.rows(
            "insert into analysis.embedding (text_sha256, encoder_version, embedding) "
            "values (%s, 'other', %s::halfvec) returning 1",
            sha256,
            f"[{','.join([numbers[-1], *numbers[:-1]])}]",
        )
    registry.refit(*(planned(name, group) for name, group in zip("DEF", groups, strict=True)))
    assert [registry.slug_of(group) for group in groups] == ["a", "b", "c"]
    assert registry.rows(
        "select distinct similarity from analysis.theme_lineage where relation = 'kept'"
    ) == [(None,)]


def test_theme_that_no_shared_text_tells_of_goes_on_by_its_centre(registry, planned):
    groups = [registry.add_texts(subject, 12) for subject in (PARKING, NURSES)]
    registry.refit(*(planned(name, group) for name, group in zip("AB", groups, strict=True)))
    registry.rows("delete from analysis.theme_assignment returning 1")  # killed before any text was assigned
    registry.refit(*(planned(name, group) for name, group in zip("CD", groups, strict=True)))
    assert [registry.slug_of(group) for group in groups] == ["a", "b"]


def test_text_speaks_of_its_own_theme_and_of_those_of_its_segments(registry, planned):
    groups = [registry.add_texts(subject, 12) for subject in (PARKING, NURSES, PHONE)]
    both = groups[0][0]
    [(text, parking), (_, nurses), (_, phone)] = (
        registry.rows(
            "select comment_text, embedding::text from feedback.comment inner join analysis.embedding "
            "using (text_sha256) where text_sha256 = %s",
            group[0],
        )[0]
        for group in groups
    )
    for index, vector in enumerate((nurses, parking, nurses)):
        registry.rows(
            "insert into analysis.text_segment values (%s, 'encoder', %s, 0, %s, %s::halfvec) returning 1",
            both,
            index,
            len(text),
            vector,
        )
    registry.refit(*(planned(name, group) for name, group in zip("ABC", groups, strict=True)))
    mentions = (
        "select theme_slug, segment_indexes from analysis.theme_mention where text_sha256 = %s order by 1"
    )
    assert registry.rows(mentions, both) == [("a", [1]), ("b", [0, 2])]
    assert registry.rows(mentions, groups[2][0]) == [("c", [])]

    # Cut by other rules, the text is read again.
    registry.rows(
        "update analysis.text_segment set embedding = %s::halfvec where segment_index = 0 returning 1", phone
    )
    registry.rows(
        "update analysis.embedding set segmentation_version = '2' where text_sha256 = %s returning 1", both
    )
    registry.run()
    assert registry.rows(mentions, both) == [("a", [1]), ("b", [2]), ("c", [0])]
