"""The quick mode of `make bench-language`: what a reader of its results relies on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.language import data as benchmark_data
from benchmarks.language import sentiment, streaming, theme_peers
from benchmarks.language.__main__ import run
from benchmarks.language.generated import write_generated
from benchmarks.language.parts import PARTS
from benchmarks.language.settings import QUICK
from benchmarks.language.splits import learnable, trust_folds
from benchmarks.language.workbench import Workbench
from benchmarks.report import Row, Value

from patient_feedback.errors import FeedbackError
from patient_feedback.language import measures
from patient_feedback.language.training import folds_by_group

SETTINGS = replace(
    QUICK, encoded_texts=20, redacted_texts=20, theme_sizes=(100,), streamed_counts=None, quick_epochs=60
)
TESTED = sorted(set(PARTS) - {"ablation", "redaction", "whole_analysis"})
"""The three others take longer than all of these, most of it to load models."""
FIELDS = {"figure", "ours", "ours_low", "ours_high", "peer", "peer_name", "ratio", "goal"}
MISSING = "not installed in this environment"


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Rough intervals are enough here, and save seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generated(tmp_path_factory.mktemp("bench") / "generated.csv", 100)


@pytest.fixture(scope="module")
def cache(labelled: Path) -> Path:
    return labelled.parent / "cache"


@pytest.fixture(scope="module")
def results(labelled: Path, cache: Path) -> Path:
    """The results of the parts, without the peers that only the benchmark's own environment has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theme_peers, "missing", lambda *packages: MISSING if packages else None)
        run(labelled, SETTINGS, TESTED, cache, labelled.parent / "results")
    return labelled.parent / "results"


@pytest.fixture(scope="module")
def bench(labelled: Path, cache: Path, results: Path) -> Workbench:
    return Workbench(benchmark_data.read_data(labelled), SETTINGS, cache)


def test_every_figure_has_what_model_cards_quote(results: Path) -> None:
    figures = json.loads((results / "language.json").read_text(encoding="utf-8"))
    assert {figure["part"] for figure in figures} == set(TESTED)
    for figure in figures:
        assert figure.keys() >= FIELDS | {"n", "how", "run"}
        # A calibration error that is drawn again comes out larger: its interval may lie above it.
        if figure["ours"] is not None and "calibration" not in figure["figure"]:
            assert figure["ours_low"] <= figure["ours"] <= figure["ours_high"]
        if figure["peer"] is not None and figure["ours"] is not None and figure["part"] == "sentiment":
            assert figure["ratio"] == pytest.approx(figure["ours"] / figure["peer"], rel=0.01)


def test_missing_peer_is_null_with_its_reason(results: Path) -> None:
    figures = {
        figure["figure"]: figure
        for figure in json.loads((results / "language.json").read_text(encoding="utf-8"))
    }
    agreement = figures["themes_ami_other_trusts"]
    assert agreement["ours"] is not None
    assert (agreement["peer"], agreement["ratio"], agreement["is_goal_met"]) == (None, None, None)
    assert agreement["missing_peers"]["BERTopic default"] == MISSING


def test_report_shows_every_part_and_the_reliability_curve(results: Path) -> None:
    report = (results / "language.md").read_text(encoding="utf-8")
    for part in TESTED:
        assert f"## {part.replace('_', ' ').capitalize()}" in report
    assert "| 0.9 to 1.0 |" in report
    assert "processor" not in report
    assert "numpy" in report


def test_measuring_one_part_again_keeps_the_others(results: Path, labelled: Path, cache: Path) -> None:
    before = json.loads((results / "language.json").read_text(encoding="utf-8"))
    figures = run(labelled, SETTINGS, ["topics"], cache, results)
    assert [figure["figure"] for figure in figures] == [figure["figure"] for figure in before]
    topics = next(figure for figure in figures if figure["part"] == "topics")
    assert "trained in an earlier run and kept" in topics["run"]


@pytest.mark.parametrize("seed", [100, 200, 300])
def test_no_text_stands_on_both_sides_of_a_split(bench: Workbench, seed: int) -> None:
    groups = np.array(bench.groups)
    assert len(set(bench.groups)) < len(bench.groups)
    folds = folds_by_group(bench.groups, 5, seed)
    for fold in np.unique(folds):
        assert not set(groups[folds == fold]) & set(groups[folds != fold])
    names, trusts = trust_folds(bench.data.trusts)
    for fold in range(len(names)):
        measured = np.flatnonzero(trusts == fold)
        assert set(groups[measured]) & set(groups[trusts != fold])
        learnt = learnable(bench.groups, measured)
        assert len(learnt)
        assert not set(groups[measured]) & set(groups[learnt])


def test_reader_that_knows_nothing_scores_worse(bench: Workbench) -> None:
    ours = {seed: sentiment.read_levels(bench, bench.held_out(seed)) for seed in SETTINGS.seeds}
    blind = {seed: np.random.default_rng(seed).permutation(read) for seed, read in ours.items()}
    accuracy, macro_f1, error, _ = sentiment.level_rows(bench, ours, {"blind": blind})
    for row in (accuracy, macro_f1, error):
        peer = row.peers["blind"]
        assert isinstance(peer, Value)
        assert row.ours is not None
        is_worse = peer.value > row.ours.high if row.is_lower_better else peer.value < row.ours.low
        assert is_worse, row.figure


def test_held_out_labels_teach_nothing(bench: Workbench, tmp_path: Path) -> None:
    """Labels of a fold may be turned round, and its comments are still read alike, but for one temperature."""
    folds = bench.folds(100)
    turned = bench.comments.levels.copy()
    turned[folds == 0] = 4 - turned[folds == 0]
    data_of = [
        bench.data,
        replace(bench.data, comments=replace(bench.comments, levels=turned, sha256="turned")),
    ]
    first, second = (
        Workbench(data, replace(SETTINGS, quick_epochs=2), tmp_path)
        .held_out(100)
        .fit.level_logits[folds == 0]
        for data in data_of
    )
    np.testing.assert_allclose(first / np.linalg.norm(first), second / np.linalg.norm(second), rtol=1e-9)


def test_goal_is_judged_in_its_own_direction() -> None:
    low, high = Value(0.02, 0.01, 0.03), Value(0.5, 0.4, 0.6)
    row = Row("error", "", 1, low, {"a": high, "b": Value(0.1, 0.1, 0.1)}, goal=0.03, is_lower_better=True)
    assert row.as_json()["is_goal_met"] is True
    assert row.as_json()["peer_name"] == "b"
    ratio = Row("speed", "", 1, high, {"a": low}, goal=30.0, goal_is_on="ratio").as_json()
    assert (ratio["ratio"], ratio["is_goal_met"]) == (25.0, False)


def test_streamed_comments_are_read() -> None:
    texts = tuple(f"the {thing} was {how}" for thing in ("soup", "queue") for how in ("cold", "long", "fine"))
    vectors = np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = streaming.run(streaming.Material(texts, vectors, None), 300)
    assert found["count"] == 300
    assert found["assigned"] is not None
    assert 200 < found["assigned"] <= 300


def test_without_data_the_benchmark_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NHS_FFT_CSV", raising=False)
    with pytest.raises(FeedbackError, match=r"pxtextmining.*NHS_FFT_CSV=path"):
        benchmark_data.labelled_file()


def test_unknown_part_is_refused(labelled: Path, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match="There are: embedding, sentiment"):
        run(labelled, SETTINGS, ["emotions"], cache, tmp_path)
