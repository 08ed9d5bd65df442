"""Discover themes on a bounded sample, keep their slugs across refits, assign every embedded text."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.contract import stable_id
from patient_feedback.orchestration.analysis import versions_in_force
from patient_feedback.orchestration.pending import has_deliveries_under_way
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

if TYPE_CHECKING:
    from patient_feedback.themes.fit import ThemeModel
    from patient_feedback.themes.slugs import SlugDecision

REFIT_GROWTH_SHARE = 0.2
"""A set is fitted anew when the texts have grown by this share since it was fitted."""
ASSIGNMENT_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class CurrentThemeSet:
    theme_set_id: str
    encoder_version: str
    theme_model_version: str
    theme_count: int
    population_count: int
    """Embedded texts there were when the set was fitted."""


def fit_themes(settings: Settings, task_run: TaskRun, counts: TaskCounts, must_refit: bool = False) -> None:
    """Fit a theme set where there is none in force or the texts have grown; else keep the current one.

    The same texts always give the same set: its id is the hash of its sample, encoder and model version.
    Skipped while a delivery is under way: themes of half a delivery would depend on the moment.
    """
    import numpy as np
    from pgvector.psycopg import register_vector

    from patient_feedback.themes.fit import THEME_MODEL_VERSION, ThemeSettings
    from patient_feedback.themes.fit import fit_themes as fit

    encoder_version = versions_in_force(settings).encoder
    if has_deliveries_under_way(settings):
        counts.is_skipped = True
        return
    with connect(settings, "fit_themes") as connection:
        register_vector(connection)
        connection.execute("select pg_advisory_xact_lock(hashtext('fit_themes'))")
        current = _current_theme_set(connection)
        population_count = _population_count(connection, encoder_version)
        if current is not None:
            is_in_force = (current.encoder_version, current.theme_model_version) == (
                encoder_version,
                THEME_MODEL_VERSION,
            )
            has_grown = population_count > current.population_count * (1 + REFIT_GROWTH_SHARE)
            if is_in_force and not has_grown and not must_refit:
                counts.row_count = current.theme_count
                return
        sample = _sample(connection, encoder_version)
        hashes = [sha256 for sha256, _, _ in sample]
        sample_sha256 = hashlib.sha256("".join(hashes).encode()).hexdigest()
        theme_set_id = stable_id(sample_sha256, encoder_version, THEME_MODEL_VERSION)
        if current is not None and current.theme_set_id == theme_set_id:
            counts.row_count = current.theme_count
            return
        if _put_back_in_force(connection, theme_set_id, population_count):
            counts.row_count = _theme_count(connection, theme_set_id)
            add_ledger_entry(
                connection,
                "theme_set_fitted",
                theme_set_id,
                task_run.run_id,
                counts.row_count,
                {"is_earlier_set": True},
            )
            return
        parameters = ThemeSettings()
        vectors = np.array([vector.to_numpy() for _, _, vector in sample], dtype=np.float32)
        model = fit([text for _, text, _ in sample], vectors.reshape(len(sample), -1), parameters)
        decisions = _decide_slugs(connection, encoder_version, current, model)
        connection.execute("update analysis.theme_set set is_current = false where is_current")
        connection.execute(
            """
            insert into analysis.theme_set (
                theme_set_id, theme_model_version, encoder_version, sample_sha256, sample_count, theme_count,
                assignment_threshold, parameters, previous_theme_set_id, is_current
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, true)
            """,
            (
                theme_set_id,
                THEME_MODEL_VERSION,
                encoder_version,
                sample_sha256,
                len(sample),
                len(decisions),
                model.threshold,
                Jsonb({**asdict(parameters), "population_count": population_count}),
                current.theme_set_id if current else None,
            ),
        )
        _write_themes(connection, theme_set_id, model, decisions, hashes)
        kept_count = sum(not decision.is_new for decision in decisions)
        counts.row_count = len(decisions)
        counts.counts.update(sample_count=len(sample), kept_slug_count=kept_count)
        add_ledger_entry(
            connection,
            "theme_set_fitted",
            theme_set_id,
            task_run.run_id,
            len(decisions),
            {"sample_count": len(sample), "kept_slug_count": kept_count},
        )


def assign_themes(settings: Settings, counts: TaskCounts) -> None:
    """Assign every embedded text that the current set has not seen to a theme, or say that it is unassigned."""
    import numpy as np
    from pgvector.psycopg import register_vector

    from patient_feedback.themes.assign import ThemeCentres
    from patient_feedback.themes.assign import assign_themes as assign

    with connect(settings, "assign_themes") as connection:
        register_vector(connection)
        theme_set = connection.execute(
            "select theme_set_id, encoder_version, assignment_threshold from analysis.theme_set where is_current"
        ).fetchone()
        if theme_set is None:
            counts.row_count = 0
            return
        theme_set_id, encoder_version, threshold = theme_set
        members = connection.execute(
            "select theme_slug, centroid from analysis.theme_set_member where theme_set_id = %s order by theme_slug",
            (theme_set_id,),
        ).fetchall()
    slugs = [slug for slug, _ in members]
    centroids = np.array([centroid.to_numpy() for _, centroid in members], dtype=np.float32)
    centres = ThemeCentres.plain(centroids, threshold)
    count, after = 0, ""
    while True:
        with connect(settings, "assign_themes") as connection:
            register_vector(connection)
            rows = connection.execute(
                """
                select embedding.text_sha256, comment.comment_text, embedding.embedding
                from analysis.embedding
                cross join lateral (
                    select comment_text from feedback.comment
                    where comment.text_sha256 = embedding.text_sha256
                    limit 1
                ) as comment
                left join analysis.theme_assignment as assignment
                    on
                        embedding.text_sha256 = assignment.text_sha256
                        and assignment.theme_set_id = %(theme_set_id)s
                where
                    embedding.encoder_version = %(encoder_version)s
                    and embedding.text_sha256 > %(after)s
                    and assignment.text_sha256 is null
                order by embedding.text_sha256
                limit %(chunk_size)s
                """,
                {
                    "theme_set_id": theme_set_id,
                    "encoder_version": encoder_version,
                    "after": after,
                    "chunk_size": ASSIGNMENT_CHUNK,
                },
            ).fetchall()
            if not rows:
                counts.row_count = count
                return
            vectors = np.array([vector.to_numpy() for _, _, vector in rows], dtype=np.float32)
            found = assign([text for _, text, _ in rows], vectors, centres)
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    "copy analysis.theme_assignment (text_sha256, theme_set_id, theme_slug, theme_confidence) "
                    "from stdin"
                ) as copy,
            ):
                for (sha256, _, _), position, confidence in zip(
                    rows, found.themes, found.confidences, strict=True
                ):
                    slug = slugs[position] if position >= 0 else None
                    copy.write_row((sha256, theme_set_id, slug, float(confidence)))
            count += len(rows)
            after = rows[-1][0]


def _current_theme_set(connection: psycopg.Connection) -> CurrentThemeSet | None:
    row = connection.execute(
        """
        select theme_set_id, encoder_version, theme_model_version, theme_count,
            (parameters ->> 'population_count')::bigint
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
    connection.execute("update analysis.theme_set set is_current = false where is_current")
    connection.execute(
        """
        update analysis.theme_set
        set is_current = true,
            parameters = jsonb_set(parameters, '{population_count}', to_jsonb(%s::bigint))
        where theme_set_id = %s
        """,
        (population_count, theme_set_id),
    )
    connection.execute(
        """
        update analysis.theme set theme_status = 'proposed'
        from analysis.theme_set_member as member
        where
            member.theme_set_id = %s
            and member.theme_slug = theme.theme_slug
            and theme.theme_status = 'retired'
        """,
        (theme_set_id,),
    )
    _retire_absent(connection, theme_set_id)
    return True


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


def _sample(connection: psycopg.Connection, encoder_version: str) -> list[tuple]:
    """Return (hash, text, vector) of the texts to fit on: the first hashes in order, which no row order can change."""
    from patient_feedback.themes.sample import SAMPLE_LIMIT

    return connection.execute(
        """
        select embedding.text_sha256, comment.comment_text, embedding.embedding
        from analysis.embedding
        cross join lateral (
            select comment_text from feedback.comment where comment.text_sha256 = embedding.text_sha256 limit 1
        ) as comment
        where embedding.encoder_version = %s
        order by embedding.text_sha256
        limit %s
        """,
        (encoder_version, SAMPLE_LIMIT),
    ).fetchall()


def _decide_slugs(
    connection: psycopg.Connection, encoder_version: str, current: CurrentThemeSet | None, model: ThemeModel
) -> list[SlugDecision]:
    """Let themes of the current set go on under their slug; vectors of another encoder cannot be compared."""
    import numpy as np

    from patient_feedback.themes.slugs import decide_slugs

    previous = []
    if current is not None and current.encoder_version == encoder_version:
        previous = connection.execute(
            "select theme_slug, centroid from analysis.theme_set_member where theme_set_id = %s order by theme_slug",
            (current.theme_set_id,),
        ).fetchall()
    taken = [slug for (slug,) in connection.execute("select theme_slug from analysis.theme")]
    dimensions = model.centroids.shape[1]
    return decide_slugs(
        model.labels,
        model.centroids,
        [slug for slug, _ in previous],
        np.array([centroid.to_numpy() for _, centroid in previous], dtype=np.float32).reshape(-1, dimensions),
        taken,
    )


def _write_themes(
    connection: psycopg.Connection,
    theme_set_id: str,
    model: ThemeModel,
    decisions: list[SlugDecision],
    hashes: list[str],
) -> None:
    """Write registry and members; a proposed theme that the new set does not hold is retired, an approved one stays."""
    from pgvector import HalfVector

    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into analysis.theme as kept (theme_slug, theme_label) values (%s, %s)
            on conflict (theme_slug) do update
            set theme_status = 'proposed', theme_label = excluded.theme_label
            -- A label that people approved is theirs; a proposed one follows the theme's words.
            where kept.theme_status in ('proposed', 'retired')
            """,
            [(decision.slug, label) for decision, label in zip(decisions, model.labels, strict=True)],
        )
        cursor.executemany(
            """
            insert into analysis.theme_set_member (
                theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count,
                matched_theme_slug, match_similarity
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    theme_set_id,
                    decision.slug,
                    HalfVector(model.centroids[position]),
                    list(model.keywords[position]),
                    [hashes[exemplar] for exemplar in model.exemplars[position]],
                    model.member_counts[position],
                    None if decision.is_new else decision.slug,
                    decision.similarity,
                )
                for position, decision in enumerate(decisions)
            ],
        )
    _retire_absent(connection, theme_set_id)


def _retire_absent(connection: psycopg.Connection, theme_set_id: str) -> None:
    connection.execute(
        """
        update analysis.theme set theme_status = 'retired'
        where
            theme_status = 'proposed'
            and not exists (
                select from analysis.theme_set_member as member
                where member.theme_set_id = %s and member.theme_slug = theme.theme_slug
            )
        """,
        (theme_set_id,),
    )
