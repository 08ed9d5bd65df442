"""Drift measured at each run: what is new is found, what is not is left in peace, and a refit is proposed, not done."""

from __future__ import annotations

import numpy as np
import pytest

from patient_feedback.orchestration.analysis import forget_unsaid_texts
from patient_feedback.orchestration.themes import RefitWhen
from patient_feedback.warehouse.connection import connect

KNOWN = ("parking machine ticket", "nurse kindness smile", "phone queue hold", "cold food breakfast")


@pytest.fixture
def fitted(registry):
    """A set in force on 240 texts of four subjects."""
    for subject in KNOWN:
        registry.add_texts(subject, 60)
    registry.run()
    return registry


def drift(registry):
    [row] = registry.rows(
        "select is_refit_proposed, reasons, new_text_count, new_dense_regions from analysis.theme_drift "
        "order by measured_at desc limit 1"
    )
    return row


def test_more_of_the_same_is_no_drift(fitted):
    for subject in KNOWN:
        fitted.add_texts(subject, 11, seed=1)
    fitted.run()
    assert drift(fitted) == (False, [], 44, [])


def test_subject_that_was_not_there_is_found_and_proposed_and_changes_no_theme(fitted):
    before = fitted.current_slugs()
    new = fitted.add_texts("vaccination booking app", 40, direction=np.eye(32)[20] + 0.8 * np.eye(32)[1])
    fitted.run()
    is_proposed, reasons, new_text_count, regions = drift(fitted)
    assert is_proposed
    assert "new_dense_regions" in reasons
    assert new_text_count == 40
    assert [set(region["exemplar_text_sha256s"]) <= set(new) for region in regions] == [True]
    fitted.run(refit_when=RefitWhen.GROWN)
    assert fitted.current_slugs() == before


def test_text_that_was_withdrawn_is_no_exemplar_any_more(fitted):
    new = fitted.add_texts("vaccination booking app", 40, direction=np.eye(32)[20] + 0.8 * np.eye(32)[1])
    fitted.run()
    [region_before] = drift(fitted)[3]
    members = "select exemplar_text_sha256s from analysis.theme_set_member order by theme_set_id, theme_slug"
    [[first, *_], *_] = [row[0] for row in fitted.rows(members)]
    gone = {first, region_before["exemplar_text_sha256s"][0]}
    with connect(fitted.settings, "test") as connection:
        connection.execute("delete from feedback.comment where text_sha256 = any(%s)", (list(gone),))
    forget_unsaid_texts(fitted.settings)
    kept = {sha256 for row in fitted.rows(members) for sha256 in row[0]}
    [region] = drift(fitted)[3]
    assert kept
    assert not gone & (kept | set(region["exemplar_text_sha256s"]))
    assert region["exemplar_text_sha256s"] == region_before["exemplar_text_sha256s"][1:]
    assert set(region["exemplar_text_sha256s"]) <= set(new)


def test_proposed_refit_is_done_where_the_setting_says_so_and_only_there(fitted):
    fitted.add_texts("vaccination booking app", 40, direction=np.eye(32)[20])
    fitted.run()
    assert drift(fitted)[0]
    set_count = "select count(*) from analysis.theme_set"
    fitted.run(refit_when=RefitWhen.NEVER)
    assert fitted.rows(set_count) == [(1,)]
    fitted.run(refit_when=RefitWhen.PROPOSED)
    assert fitted.rows(set_count) == [(2,)]
    assert drift(fitted)[:2] == (False, [])


def test_growth_by_a_fifth_is_fitted_anew_unless_the_setting_says_never(fitted):
    for subject in KNOWN:
        fitted.add_texts(subject, 13, seed=1)
    set_count = "select count(*) from analysis.theme_set"
    fitted.run(refit_when=RefitWhen.NEVER)
    assert drift(fitted)[:2] == (True, ["population_grew"])
    assert fitted.rows(set_count) == [(1,)]
    fitted.run()
    assert fitted.rows(set_count) == [(2,)]
