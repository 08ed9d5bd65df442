"""Discover themes on a bounded sample, keep their slugs across refits, assign every embedded text."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.contract import stable_id
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

if TYPE_CHECKING:
    import numpy as np

REFIT_GROWTH_SHARE = 0.2
"""A set is fitted anew when the texts have grown by this share since it was fitted."""

ASSIGNMENT_CHUNK = 10_000


def _deliveries_under_way(settings: Settings) -> int:
    """Return how many deliveries landed within the last hour still wait for their gate.

    Themes fitted while a delivery is half accepted would depend on the moment of the fit.
    """
    with connect(settings, "fit_themes") as connection:
        row = connection.execute(
            """
            select count(*) from landing.delivery
            where delivery_state = 'landed' and landed_at > now() - interval '1 hour'
            """
        ).fetchone()
    assert row is not None
    return int(row[0])


def fit_themes(settings: Settings, task_run: TaskRun, counts: TaskCounts, must_refit: bool = False) -> None:
    """Fit a theme set where there is none in force or the texts have grown; else keep the current one.

    The same texts always give the same set: its id is the hash of its sample, encoder and model version.
    Skipped while a delivery is under way.
    """
    if _deliveries_under_way(settings):
        counts.is_skipped = True
        return
    from patient_feedback.themes import THEME_MODEL_VERSION
    from patient_feedback.themes.fitting import ThemeSettings, fit_themes

    parameters = ThemeSettings()
    with connect(settings, "fit_themes") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('fit_themes'))")
        current = connection.execute(
            """
            select theme_set_id, encoder_version, theme_model_version, theme_count, sample_count,
                (parameters ->> 'population_count')::bigint
            from analysis.theme_set where is_current
            """
        ).fetchone()
        population_count = _population_count(connection, encoder_version)
        if current is not None:
            theme_set_id, fitted_encoder, fitted_model, theme_count, sample_count, fitted_on = current
            is_in_force = (fitted_encoder, fitted_model) == (encoder_version, THEME_MODEL_VERSION)
            has_grown = population_count > fitted_on * (1 + REFIT_GROWTH_SHARE)
            if is_in_force and not has_grown and not must_refit:
                return ThemeSetState(theme_set_id, theme_count, sample_count, is_new=False)
        if population_count == 0:
            return ThemeSetState(None, 0, 0, is_new=False)
        hashes, texts, embeddings = _sample(connection, encoder_version, parameters.sample_size)
        sample_sha256 = hashlib.sha256("".join(hashes).encode()).hexdigest()
        theme_set_id = stable_id(sample_sha256, encoder_version, THEME_MODEL_VERSION)
        if current is not None and current[0] == theme_set_id:
            return ThemeSetState(theme_set_id, current[3], current[4], is_new=False)
        model = fit_themes(texts, embeddings, parameters)
        slugs, matches = _slugs(connection, encoder_version, model)
        connection.execute("update analysis.theme_set set is_current = false where is_current")
        connection.execute("delete from analysis.theme_set where theme_set_id = %s", (theme_set_id,))
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
                len(hashes),
                len(slugs),
                model.threshold,
                Jsonb({**asdict(parameters), "population_count": population_count}),
                current[0] if current else None,
            ),
        )
        _write_members(connection, theme_set_id, model, slugs, matches, hashes)
        add_ledger_entry(
            connection,
            "theme_set_fitted",
            theme_set_id,
            run_id,
            len(slugs),
            {
                "sample_count": len(hashes),
                "kept_slug_count": sum(match is not None for match in matches),
                "previous_theme_set_id": current[0] if current else None,
            },
        )
    return ThemeSetState(theme_set_id, len(slugs), len(hashes), is_new=True)


def assign_comments_to_themes(settings: Settings, theme_set_id: str) -> int:
    """Assign every embedded text that the set has not seen, or say that it is unassigned; return how many."""
    import numpy as np
    from pgvector.psycopg import register_vector

    from patient_feedback.themes.assignment import assign_themes

    count = 0
    with connect(settings, "assign_themes") as connection:
        register_vector(connection)
        encoder_version, threshold = connection.execute(
            "select encoder_version, assignment_threshold from analysis.theme_set where theme_set_id = %s",
            (theme_set_id,),
        ).fetchone()  # type: ignore[misc]
        members = connection.execute(
            "select theme_slug, centroid from analysis.theme_set_member where theme_set_id = %s order by theme_slug",
            (theme_set_id,),
        ).fetchall()
        slugs = [slug for slug, _ in members]
        centroids = np.array([centroid.to_numpy() for _, centroid in members], dtype=np.float32)
    after = ""
    while True:
        with connect(settings, "assign_themes") as connection:
            register_vector(connection)
            rows = connection.execute(
                """
                select comment.text_sha256, min(comment.comment_text), embedding.embedding
                from (select distinct on (text_sha256) text_sha256, comment_text from feedback.comment
                    where comment_state = 'text' and text_sha256 > %(after)s
                    order by text_sha256) as comment
                inner join analysis.embedding
                    on comment.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
                left join analysis.theme_assignment as assignment
                    on
                        comment.text_sha256 = assignment.text_sha256
                        and assignment.theme_set_id = %(theme_set_id)s
                where assignment.text_sha256 is null
                group by comment.text_sha256, embedding.embedding
                order by comment.text_sha256
                limit %(chunk_size)s
                """,
                {
                    "after": after,
                    "encoder": encoder_version,
                    "theme_set_id": theme_set_id,
                    "chunk_size": ASSIGNMENT_CHUNK,
                },
            ).fetchall()
            if not rows:
                return count
            vectors = np.array([vector.to_numpy() for _, _, vector in rows], dtype=np.float32)
            positions, confidences = assign_themes(
                vectors, centroids, threshold, texts=[text for _, text, _ in rows]
            )
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    "copy analysis.theme_assignment (text_sha256, theme_set_id, theme_slug, theme_confidence) "
                    "from stdin"
                ) as copy,
            ):
                for (sha256, _, _), position, confidence in zip(rows, positions, confidences, strict=True):
                    slug = slugs[position] if position >= 0 else None
                    copy.write_row((sha256, theme_set_id, slug, float(confidence)))
            count += len(rows)
            after = rows[-1][0]


def _population_count(connection: psycopg.Connection, encoder_version: str) -> int:
    row = connection.execute(
        "select count(*) from analysis.embedding where encoder_version = %s", (encoder_version,)
    ).fetchone()
    assert row is not None
    return int(row[0])
