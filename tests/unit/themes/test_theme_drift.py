"""When a refit is proposed, and what counts as a new region."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from patient_feedback.themes.drift import DriftMeasures, RefitReason, new_dense_regions, refit_reasons

STEADY = DriftMeasures(
    population_growth_share=0.1,
    new_text_count=400,
    new_unassigned_share=0.06,
    new_mean_similarity=0.55,
    baseline_unassigned_share=0.05,
    baseline_mean_similarity=0.56,
    new_region_count=0,
)


def test_steady_texts_propose_nothing():
    assert refit_reasons(STEADY) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"population_growth_share": 0.21}, RefitReason.POPULATION_GREW),
        ({"new_unassigned_share": 0.12}, RefitReason.UNASSIGNED_ROSE),
        ({"new_mean_similarity": 0.50}, RefitReason.SIMILARITY_FELL),
        ({"new_region_count": 1}, RefitReason.NEW_REGIONS),
    ],
)
def test_each_kind_of_drift_proposes_a_refit(change, reason):
    assert refit_reasons(dataclasses.replace(STEADY, **change)) == [reason]


def test_few_new_texts_prove_nothing_by_their_shares():
    few = dataclasses.replace(STEADY, new_text_count=20, new_unassigned_share=0.5, new_mean_similarity=0.2)
    assert refit_reasons(few) == []


def test_set_without_figures_of_its_fit_is_judged_by_growth_and_regions_alone():
    unknown = dataclasses.replace(STEADY, baseline_unassigned_share=None, baseline_mean_similarity=None)
    assert refit_reasons(unknown) == []


def scattered(random, count, dimensions=48):
    vectors = random.normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def bundle(random, count, dimensions=48):
    """Texts about one subject: cosine of about .8 to their middle."""
    middle = scattered(random, 1, dimensions)
    vectors = middle + 0.75 * scattered(random, count, dimensions)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_planted_subject_is_found_among_scattered_texts_and_nothing_else(seed):
    random = np.random.default_rng(seed)
    earlier, new = scattered(random, 600), scattered(random, 300)
    assert new_dense_regions(new, earlier) == []
    [region] = new_dense_regions(np.concatenate([new, bundle(random, 40)]), earlier)
    planted = [position for position in region if position >= 300]
    assert len(planted) >= 35
    assert len(planted) > 0.9 * len(region), (
        "texts that lie nearest to the planted ones may be taken with them"
    )


@pytest.mark.parametrize("seed", range(5))
def test_subject_that_earlier_texts_speak_of_too_is_not_new(seed):
    random = np.random.default_rng(seed)
    subject = bundle(random, 80)
    earlier = np.concatenate([scattered(random, 400), subject[:40]])
    new = np.concatenate([scattered(random, 300), subject[40:]])
    assert new_dense_regions(new, earlier) == []
