"""Discover themes on a bounded sample, keep their slugs across refits, assign every text, measure the drift."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.contract import stable_id
from patient_feedback.orchestration.analysis import AnalysisVersions, versions_in_force
from patient_feedback.orchestration.pending import has_deliveries_under_way
from patient_feedback.orchestration.statements import named_statements
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.orchestration.theme_drift import has_proposed_refit, measure_set_drift
from patient_feedback.orchestration.theme_reading import read_unread_texts
from patient_feedback.orchestration.theme_registry import register_themes, settle_themes, write_themes
from patient_feedback.settings import Settings
from patient_feedback.themes import SAMPLE_LIMIT
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from patient_feedback.language.topics import TopicModel
    from patient_feedback.themes.fit import ThemeModel, ThemeSettings

STATEMENTS = Path(__file__).with_name("themes.sql")
REFIT_GROWTH_SHARE = 0.2
"""A set is fitted anew when the texts have grown by this share since it was fitted."""


class RefitWhen(StrEnum):
    """When a set of the models in force is fitted anew without anybody asking for it."""

    NEVER = "never"
    GROWN = "grown"
    """The texts have grown by `REFIT_GROWTH_SHARE`; other drift is only proposed to people."""
    PROPOSED = "proposed"
    """The last run proposed it, for whatever reason."""


@dataclass(frozen=True, slots=True)
class CurrentThemeSet:
    theme_set_id: str
    encoder_version: str
    theme_model_version: str
    theme_count: int
    population_count: int
    """Embedded texts there were when the set was fitted."""
    has_centres: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """The texts that a set is fitted on, in the order of their hashes."""

    hashes: list[str]
    texts: list[str]
    vectors: NDArray[np.float32]

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(self.hashes).encode()).hexdigest()


def fit_themes(
    settings: Settings,
    task_run: TaskRun,
    counts: TaskCounts,
    must_refit: bool = False,
    refit_when: RefitWhen = RefitWhen.GROWN,
) -> None:
    """Fit a theme set where there is none in force or `refit_when` says so; else keep the current one.

    A set's id is the hash of its sample and of the models' versions: the same texts give the same set again. A
    topic that is a theme of the set in force needs fewer texts to stay one.
    Skipped while a delivery is under way: themes of half a delivery would depend on the moment.
    """
    from pgvector.psycopg import register_vector

    from patient_feedback.language.readers import trained_topic_model
    from patient_feedback.themes.fit import THEME_MODEL_VERSION, ThemeSettings

    versions = versions_in_force(settings)
    if has_deliveries_under_way(settings):
        counts.is_skipped = True
        return
    with connect(settings, "fit_themes") as connection:
        register_vector(connection)
        connection.execute("select pg_advisory_xact_lock(hashtext('fit_themes'))")
        current = _current_theme_set(connection)
        population_count = _population_count(connection, versions.encoder)
        if current is not None and not must_refit:
            is_in_force = (current.encoder_version, current.theme_model_version, current.has_centres) == (
                versions.encoder,
                THEME_MODEL_VERSION,
                True,
            )
            if is_in_force and not _is_refit_due(connection, current, population_count, refit_when):
                counts.row_count = current.theme_count
                return
        sample = draw_sample(connection, versions.encoder)
        parameters = ThemeSettings(languages=versions.languages)
        theme_set_id = theme_set_id_of(sample.sha256, versions, parameters)
        if current is not None and current.theme_set_id == theme_set_id:
            _note_population(connection, theme_set_id, population_count)
            counts.row_count = current.theme_count
            return
        details: dict[str, object]
        if _put_back_in_force(connection, theme_set_id, population_count):
            details = {"is_earlier_set": True}
        else:
            topics = trained_topic_model(versions.encoder) if versions.topics else None
            topic_slugs = topics.topic_slugs if topics else ()
            previous_slugs = _anchored_topics(connection, current)
            model = _fit(settings, topics, sample, parameters, previous_slugs)
            _write_theme_set(
                connection,
                theme_set_id,
                versions,
                current,
                sample,
                model,
                {
                    **asdict(parameters),
                    "population_count": population_count,
                    "anchored_topics": [topic_slugs[topic] for topic in model.topics if topic is not None],
                },
                counts,
            )
            details = dict(counts.counts)
        counts.row_count = _theme_count(connection, theme_set_id)
        add_ledger_entry(
            connection, "theme_set_fitted", theme_set_id, task_run.run_id, counts.row_count, details
        )


def assign_themes(settings: Settings, counts: TaskCounts) -> None:
    """Assign every embedded text that the set in force has not read, and its segments, or say that it is unassigned."""
    counts.row_count = 0
    with connect(settings, "assign_themes") as connection:
        current = _current_theme_set(connection)
    if current is not None and current.has_centres:
        counts.row_count = read_unread_texts(settings, current.theme_set_id)


def measure_drift(settings: Settings, task_run: TaskRun, counts: TaskCounts) -> None:
    """Measure how well the set in force still fits the texts; leave a row, which may propose a refit."""
    with connect(settings, "measure_drift") as connection:
        current = _current_theme_set(connection)
        if current is None or not current.has_centres:
            counts.row_count = 0
            return
        drift = measure_set_drift(connection, current.theme_set_id, task_run.run_id)
    counts.row_count = drift.text_count
    counts.counts.update(
        new_text_count=drift.new_text_count, is_refit_proposed=str(bool(drift.reasons)).lower()
    )
    if drift.reasons:
        counts.counts["reasons"] = ", ".join(drift.reasons)


def _is_refit_due(
    connection: psycopg.Connection, current: CurrentThemeSet, population_count: int, refit_when: RefitWhen
) -> bool:
    if refit_when is RefitWhen.NEVER:
        return False
    has_grown = population_count > current.population_count * (1 + REFIT_GROWTH_SHARE)
    return has_grown or (
        refit_when is RefitWhen.PROPOSED and has_proposed_refit(connection, current.theme_set_id)
    )


def _current_theme_set(connection: psycopg.Connection) -> CurrentThemeSet | None:
    row = connection.execute(
        """
        select theme_set_id, encoder_version, theme_model_version, theme_count,
            (parameters ->> 'population_count')::bigint, centres is not null
        from analysis.theme_set
        where is_current
        """
    ).fetchone()
    return CurrentThemeSet(*row) if row else None


def _put_back_in_force(connection: psycopg.Connection, theme_set_id: str, population_count: int) -> bool:
    """Make a set of the same texts and models current again, as after a change of encoder that was taken back."""
    if not connection.execute(
        "select 1 from analysis.theme_set where theme_set_id = %s", (theme_set_id,)
    ).fetchone():
        return False
    connection.execute("select pg_advisory_xact_lock(hashtext('theme_registry'))")
    connection.execute("update analysis.theme_set set is_current = false where is_current")
    connection.execute(
        "update analysis.theme_set set is_current = true where theme_set_id = %s", (theme_set_id,)
    )
    _note_population(connection, theme_set_id, population_count)
    settle_themes(connection)
    return True


def _note_population(connection: psycopg.Connection, theme_set_id: str, population_count: int) -> None:
    """Note that a fit on so many texts gives this set: only further growth is a reason to fit anew."""
    connection.execute(
        """
        update analysis.theme_set
        set parameters = jsonb_set(parameters, '{population_count}', to_jsonb(%s::bigint))
        where theme_set_id = %s
        """,
        (population_count, theme_set_id),
    )


def _theme_count(connection: psycopg.Connection, theme_set_id: str) -> int:
    row = connection.execute(
        "select theme_count from analysis.theme_set where theme_set_id = %s", (theme_set_id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def _population_count(connection: psycopg.Connection, encoder_version: str) -> int:
    row = connection.execute(
        "select count(*) from analysis.embedding where encoder_version = %s", (encoder_version,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def theme_set_id_of(sample_sha256: str, versions: AnalysisVersions, parameters: ThemeSettings) -> str:
    """Return the id of the set that all that a fit depends on gives."""
    from patient_feedback.themes.fit import THEME_MODEL_VERSION

    return stable_id(
        sample_sha256, versions.encoder, THEME_MODEL_VERSION, versions.topics, json.dumps(asdict(parameters))
    )


def draw_sample(connection: psycopg.Connection, encoder_version: str, limit: int = SAMPLE_LIMIT) -> Sample:
    """Return at most `limit` texts to fit on, in the order of their hashes: a proportional draw by stratum.

    A stratum is a source, service and quarter; each gets its share, and at least one text while `limit`
    allows. The hash decides, so the draw depends on the texts alone, and a text that is added pushes
    out at most one other. PostgreSQL draws: memory here does not grow with the texts.
    """
    import numpy as np

    rows = connection.execute(
        named_statements(STATEMENTS)["sample_texts"], {"encoder": encoder_version, "limit": limit}
    ).fetchall()
    vectors = np.array([vector.to_numpy() for _, _, vector in rows], dtype=np.float32)
    return Sample(
        [sha256 for sha256, _, _ in rows],
        [text for _, text, _ in rows],
        vectors if rows else np.zeros((0, 0), np.float32),
    )


def _anchored_topics(connection: psycopg.Connection, current: CurrentThemeSet | None) -> list[str]:
    """Return the topics that the themes of the set in force are anchored at."""
    if current is None:
        return []
    row = connection.execute(
        "select parameters -> 'anchored_topics' from analysis.theme_set where theme_set_id = %s",
        (current.theme_set_id,),
    ).fetchone()
    return row[0] if row and row[0] else []


def _fit(
    settings: Settings,
    topics: TopicModel | None,
    sample: Sample,
    parameters: ThemeSettings,
    previous_slugs: Collection[str],
) -> ThemeModel:
    """Fit with the topic readers of the encoder, where it has some: themes then lie where topics tell texts apart."""
    from patient_feedback.themes.fit import fit_themes as fit

    readers = topics.linear_readers() if topics else None
    weights, offsets = readers or (None, None)
    slugs = topics.topic_slugs if topics and readers else ()
    return fit(
        sample.texts,
        sample.vectors,
        parameters,
        topic_weights=weights,
        topic_offsets=offsets,
        topic_labels=_topic_labels(settings, slugs) if readers else None,
        previous_topics=[slugs.index(slug) for slug in previous_slugs if slug in slugs],
        threads=settings.worker_threads,
    )


def _topic_labels(settings: Settings, slugs: Sequence[str]) -> list[str]:
    """Return the names of topics for people, from the taxonomy that dbt publishes."""
    path = settings.project_dir / "dbt_project" / "seeds" / "topics.csv"
    with path.open(encoding="utf-8", newline="") as file:
        labels = {row["topic_slug"]: row["topic_label"] for row in csv.DictReader(file)}
    return [labels.get(slug, slug) for slug in slugs]


def _write_theme_set(
    connection: psycopg.Connection,
    theme_set_id: str,
    versions: AnalysisVersions,
    current: CurrentThemeSet | None,
    sample: Sample,
    model: ThemeModel,
    parameters: dict[str, object],
    counts: TaskCounts,
) -> None:
    from patient_feedback.themes.assign import assign_themes as assign
    from patient_feedback.themes.fit import THEME_MODEL_VERSION

    assignments = assign(sample.texts, sample.vectors, model.centres)
    registered = register_themes(
        connection,
        current.theme_set_id if current else None,
        versions.encoder,
        model,
        sample.hashes,
        assignments,
    )
    connection.execute("update analysis.theme_set set is_current = false where is_current")
    connection.execute(
        """
        insert into analysis.theme_set (
            theme_set_id, theme_model_version, encoder_version, sample_sha256, sample_count, theme_count,
            subtheme_count, assignment_threshold, parameters, criterion, centres, sample_mean_similarity,
            sample_unassigned_share, previous_theme_set_id, is_current
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, true)
        """,
        (
            theme_set_id,
            THEME_MODEL_VERSION,
            versions.encoder,
            sample.sha256,
            len(sample.hashes),
            len(registered.themes.themes),
            len(registered.subthemes.themes),
            model.threshold,
            Jsonb(parameters),
            Jsonb(model.criterion),
            model.centres.to_bytes(),
            model.mean_similarity,
            model.unassigned_share,
            current.theme_set_id if current else None,
        ),
    )
    write_themes(connection, theme_set_id, registered, sample.hashes)
    counts.counts.update(sample_count=len(sample.hashes), kept_slug_count=registered.kept_count)
