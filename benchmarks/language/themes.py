"""Themes of comments that no model learnt from: agreement with labels, stability, coherence, names.

One label for each comment: the rarest of its own, because the frequent ones ("positive experience")
stand beside most others. The same is measured with a label drawn among its own. Comments without a
theme count as one cluster, so that all methods are measured on the same comments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import OVER_RUNS, Value, over_runs
from benchmarks.language import theme_peers
from benchmarks.language.coherence import c_v
from benchmarks.language.naming import described, share_nearest_own_name
from benchmarks.language.readings import Readings, TopicReaders, fit_arguments
from benchmarks.language.splits import first_of_each, trust_folds
from benchmarks.language.theme_peers import BERTOPIC, UMAP_KMEANS, FoundThemes
from benchmarks.language.workbench import Workbench
from benchmarks.report import PartResult, Row, Table
from patient_feedback.themes.assign import assign_themes
from patient_feedback.themes.fit import ThemeModel, fit_themes

OURS = "ours"
KEPT_SHARE = 0.9
FITTED_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Case:
    """Distinct comments that the models behind `vectors` did not learn from."""

    name: str
    seed: int
    rows: NDArray[np.intp]
    texts: tuple[str, ...]
    base: NDArray[np.float32]
    vectors: NDArray[np.float32]
    readers: TopicReaders


@dataclass
class Methods:
    """Every method on any part of a case, each fitted once."""

    bench: Workbench
    _found: dict[tuple[object, ...], FoundThemes] = field(default_factory=dict)

    def reason(self, method: str) -> str | None:
        """Return why a method cannot run here, or None."""
        packages = {BERTOPIC: ("bertopic", "umap"), UMAP_KMEANS: ("umap",)}.get(method, ())
        return theme_peers.missing(*packages)

    def fit(self, method: str, case: Case, seed: int, rows: NDArray[np.intp] | None = None) -> FoundThemes:
        """Return the themes of the case's texts, or of the part at `rows`."""
        part = np.arange(len(case.texts)) if rows is None else rows
        key = (method, case.name, case.seed, None if method == OURS else seed, part.tobytes())
        if key not in self._found:
            texts = [case.texts[i] for i in part]
            if method == BERTOPIC:
                self._found[key] = theme_peers.bertopic(texts, case.base[part], seed)
            elif method == UMAP_KMEANS:
                self._found[key] = theme_peers.umap_kmeans(case.base[part], seed)
            else:
                self._found[key] = ours(texts, case.vectors[part], case.readers)
        return self._found[key]


def measure(bench: Workbench) -> PartResult:
    methods = Methods(bench)
    trusts = list(_trust_cases(bench))
    folds = list(_fold_cases(bench))
    # Fits differ by chance alone, on the same vectors.
    alike = [case for case in trusts if case.seed == bench.settings.seeds[0]]
    rows = [
        *_agreement_rows(methods, trusts, "other trusts", 1.5),
        *_agreement_rows(methods, folds, "held-out folds", None),
        *_stability_rows(methods, alike),
        _refit_row(methods, alike),
        _training_row(methods, trusts),
        _coherence_row(methods, trusts),
        *_naming_rows(methods, trusts),
    ]
    return PartResult(tuple(rows), (_sizes(methods, trusts),))


def ours(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    readers: TopicReaders | None,
    threads: int = 1,
    previous_topics: Collection[int] = (),
) -> FoundThemes:
    model = fit_themes(
        texts, vectors, threads=threads, previous_topics=previous_topics, **fit_arguments(readers)
    )
    return FoundThemes(assign_themes(texts, vectors, model.centres).themes, model.keywords, model)


def _trust_cases(bench: Workbench) -> Iterator[Case]:
    """Each trust, read by models of the others."""
    names, _ = trust_folds(bench.data.trusts)
    for seed in bench.settings.seeds:
        for fold, name in enumerate(names):
            yield _case(bench, name, seed, bench.other_trusts(seed), fold)


def _fold_cases(bench: Workbench) -> Iterator[Case]:
    """Each fold of comments, read by models of the other folds; small, so themes are few."""
    for seed in bench.settings.seeds:
        for fold in range(bench.settings.fold_count):
            yield _case(bench, f"fold {fold}", seed, bench.held_out(seed), fold)


def _case(bench: Workbench, name: str, seed: int, readings: Readings, fold: int) -> Case:
    rows = first_of_each(bench.comments.texts, np.flatnonzero(readings.fold_of == fold))
    return Case(
        name,
        seed,
        rows,
        tuple(bench.comments.texts[i] for i in rows),
        bench.base_vectors[rows],
        readings.fit.vectors[rows],
        readings.readers(fold),
    )


def _agreement_rows(methods: Methods, cases: Sequence[Case], where: str, goal: float | None) -> list[Row]:
    bench = methods.bench
    minimum = bench.settings.minimum_examples
    rarest = bench.data.rarest_topic(minimum)

    def agreement(
        case: Case, found: NDArray[np.int64], labels: NDArray[np.int64], kept: NDArray[np.bool_] | None = None
    ) -> float:
        has_label = labels[case.rows] >= 0
        chosen = has_label if kept is None else has_label & kept
        return mutual_information(found[chosen], labels[case.rows][chosen])

    def by_rarest(case: Case, found: FoundThemes) -> float:
        return agreement(case, found.assigned, rarest)

    def by_drawn(case: Case, found: FoundThemes) -> float:
        return agreement(case, found.assigned, bench.data.drawn_topic(minimum, case.seed))

    def by_assigned(case: Case, found: FoundThemes) -> float:
        return agreement(case, found.assigned, rarest, found.assigned >= 0)

    def by_subthemes(case: Case, found: FoundThemes) -> float:
        if not isinstance(found.model, ThemeModel):
            return by_rarest(case, found)
        finer = assign_themes(case.texts, case.vectors, found.model.centres)
        largest = int(finer.subthemes.max(initial=0)) + 2
        return agreement(case, finer.themes * largest + finer.subthemes + 1, rarest)

    slug = where.replace("-", "_").replace(" ", "_")
    how = f"{where}, distinct comments; the models learnt from none of their words; {OVER_RUNS}"
    count = sum(len(case.rows) for case in cases if case.seed == bench.settings.seeds[0])

    def row(figure: str, score: Callable[[Case, FoundThemes], float], what: str, **more: object) -> Row:
        values = _by_method(methods, cases, score)
        mine = values.pop(OURS)
        assert isinstance(mine, Value)
        return Row(f"themes_{figure}_{slug}", f"{what}; {how}", count, mine, values, BERTOPIC, **more)  # type: ignore[arg-type]

    rarest_of = "AMI with the rarest label of each comment"
    rows = [
        row("ami", by_rarest, rarest_of, goal=goal, goal_is_on="ratio"),
        row("ami_with_drawn_label", by_drawn, "AMI with one of the comment's labels, drawn"),
        row("ami_of_assigned", by_assigned, f"{rarest_of}, comments with a theme alone"),
        row("subtheme_ami", by_subthemes, f"{rarest_of}; ours by subthemes"),
        row(
            "unassigned_share",
            lambda _, found: found.unassigned_share,
            "share without a theme",
            is_lower_better=True,
        ),
    ]
    return rows


def _by_method(
    methods: Methods, cases: Sequence[Case], score: Callable[[Case, FoundThemes], float]
) -> dict[str, Value | str]:
    """Return the mean over the cases for each method, and over seeds for those that draw by chance."""
    values: dict[str, Value | str] = {}
    for method in (OURS, BERTOPIC, UMAP_KMEANS):
        if reason := methods.reason(method):
            values[method] = reason
            continue
        seeds = (0,) if method == OURS else methods.bench.settings.peer_seeds
        values[method] = over_runs(
            [score(case, methods.fit(method, case, seed)) for case in cases for seed in seeds]
        )
    return values


def _stability_rows(methods: Methods, cases: Sequence[Case]) -> list[Row]:
    seeds = methods.bench.settings.peer_seeds

    def by_seed(method: str, case: Case, seed: int) -> NDArray[np.int64]:
        if method != OURS:
            return methods.fit(method, case, seed).assigned
        # Ours draws nothing by chance: a seed can only shuffle the comments.
        order = np.random.default_rng(seed).permutation(len(case.texts))
        assigned = np.empty(len(order), np.int64)
        assigned[order] = methods.fit(method, case, seed, order).assigned
        return assigned

    def over_seeds(method: str) -> list[float]:
        return [
            mutual_information(by_seed(method, case, a), by_seed(method, case, b))
            for case in cases
            for a, b in combinations(seeds, 2)
        ]

    def over_parts(method: str) -> list[float]:
        scores = []
        for case in cases:
            whole = methods.fit(method, case, seeds[0]).assigned
            for seed in seeds:
                part = _drawn(len(case.texts), KEPT_SHARE, seed)
                scores.append(
                    mutual_information(whole[part], methods.fit(method, case, seeds[0], part).assigned)
                )
        return scores

    def row(figure: str, scores: Callable[[str], list[float]], what: str) -> Row:
        values: dict[str, Value | str] = {
            method: methods.reason(method) or over_runs(scores(method))
            for method in (OURS, BERTOPIC, UMAP_KMEANS)
        }
        mine = values.pop(OURS)
        assert isinstance(mine, Value)
        count = sum(len(case.texts) for case in cases)
        return Row(
            figure, f"{what}; each trust by itself; {OVER_RUNS}", count, mine, values, BERTOPIC, goal=0.95
        )

    return [
        row(
            "themes_stability_over_seeds",
            over_seeds,
            f"mean pairwise AMI of {len(seeds)} seeds (ours draws nothing by chance: "
            "the comments are shuffled)",
        ),
        row(
            "themes_stability_over_subsamples",
            over_parts,
            "AMI of a fit on all with a fit on 90 %, on the comments of both",
        ),
    ]


def _refit_row(methods: Methods, cases: Sequence[Case]) -> Row:
    """As the pipeline fits: a set knows at which topics the set before was anchored."""
    scores = []
    for case in cases:
        for seed in methods.bench.settings.peer_seeds:
            part = _drawn(len(case.texts), KEPT_SHARE, seed)
            before = methods.fit(OURS, case, seed, part)
            kept = {topic for topic in before.model.topics if topic is not None}
            refitted = ours(case.texts, case.vectors, case.readers, previous_topics=kept)
            scores.append(mutual_information(refitted.assigned[part], before.assigned))
    return Row(
        "themes_stability_over_refits",
        "ours alone: AMI of a fit on 90 % with a refit on all that knows the fit before, as the pipeline does it, on "
        f"the comments of both; each trust by itself; {OVER_RUNS}",
        sum(len(case.texts) for case in cases),
        over_runs(scores),
    )


def _training_row(methods: Methods, cases: Sequence[Case]) -> Row:
    """Themes of one trust by adapters and readers that were trained from different starts."""
    scores = [
        mutual_information(
            methods.fit(OURS, one, one.seed).assigned, methods.fit(OURS, other, other.seed).assigned
        )
        for one, other in combinations(cases, 2)
        if one.name == other.name
    ]
    return Row(
        "themes_stability_over_trainings",
        f"ours alone, harder: mean pairwise AMI of fits by {len(methods.bench.settings.seeds)} trainings of adapter and "
        f"readers, each trust by itself; {OVER_RUNS}",
        sum(len(case.texts) for case in cases if case.seed == cases[0].seed),
        over_runs(scores) if scores else None,
    )


def _coherence_row(methods: Methods, cases: Sequence[Case]) -> Row:
    values: dict[str, Value | str] = {}
    mine = None
    if reason := theme_peers.missing("gensim"):
        values[BERTOPIC] = reason
    else:
        found = _by_method(
            methods, cases, lambda case, themes: c_v(themes.words, case.texts) if themes.words else 0.0
        )
        measured = found.pop(OURS)
        mine = measured if isinstance(measured, Value) else None
        values[BERTOPIC] = found[BERTOPIC]
    return Row(
        "themes_c_v",
        f"C_v of the ten best key words, in the comments fitted on; other trusts; {OVER_RUNS}",
        sum(len(case.rows) for case in cases if case.seed == methods.bench.settings.seeds[0]),
        mine,
        values,
        BERTOPIC,
        goal=1.0,
        goal_is_on="ratio",
    )


def _naming_rows(methods: Methods, cases: Sequence[Case]) -> list[Row]:
    """Comments that a fit did not see, assigned to its themes: is their own theme's name the nearest?"""
    bench = methods.bench
    judges = {
        "themes_named_apart": ("the encoder as published judges", bench.base_encoder, bench.base_vectors),
        "themes_named_apart_by_own_encoder": (
            "the shipped encoder judges",
            bench.encoder,
            bench.shipped_vectors,
        ),
    }
    rows = []
    for figure, (judge, encoder, vectors) in judges.items():
        mine, theirs = [], []
        reason = methods.reason(BERTOPIC)
        for case in cases:
            fitted = _drawn(len(case.texts), FITTED_SHARE, case.seed)
            rest = np.setdiff1d(np.arange(len(case.texts)), fitted)
            texts = [case.texts[i] for i in rest]
            judged = vectors[case.rows[rest]]
            found = methods.fit(OURS, case, case.seed, fitted)
            names = [
                described(label, words)
                for label, words in zip(found.model.labels, found.model.keywords, strict=True)
            ]
            assigned = assign_themes(texts, case.vectors[rest], found.model.centres).themes
            mine.append(share_nearest_own_name(encoder, names, judged, assigned))
            if reason is None:
                peer = methods.fit(BERTOPIC, case, case.seed, fitted)
                assigned = theme_peers.bertopic_assign(peer, texts, case.base[rest])
                names = [described("", words) for words in peer.words]
                theirs.append(share_nearest_own_name(encoder, names, judged, assigned))
        rows.append(
            Row(
                figure,
                f"comments held out of the fit that are nearer (cosine) to the name and key words of their theme "
                f"than to any other's; {judge}; other trusts; {OVER_RUNS}",
                sum(round(len(case.rows) * (1 - FITTED_SHARE)) for case in cases),
                over_runs(mine),
                {BERTOPIC: reason or over_runs(theirs)},
                BERTOPIC,
                goal=0.8,
            )
        )
    return rows


def _sizes(methods: Methods, cases: Sequence[Case]) -> Table:
    counts: Mapping[str, Value | str] = _by_method(methods, cases, lambda _, found: found.theme_count)
    return Table(
        "How many themes each method finds on a trust",
        ("method", "themes, mean"),
        tuple((name, f"{of.value:.1f}" if isinstance(of, Value) else of) for name, of in counts.items()),
    )


def _drawn(count: int, share: float, seed: int) -> NDArray[np.intp]:
    draw = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    return np.sort(draw).astype(np.intp)


def mutual_information(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Return the adjusted mutual information of two divisions of the same comments."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(one, other))
