"""How well the theme set in force still fits: measured over all texts and over those new since the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from patient_feedback.orchestration.theme_registry import stored_set

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REGION_SAMPLE = 2_000
"""New texts, and as many earlier ones, that are searched for new regions."""
REGION_EXEMPLARS = 5

READ_TEXTS = """
select
    count(*),
    count(*) filter (where is_new),
    avg(is_unassigned),
    avg(is_unassigned) filter (where is_new),
    avg(theme_confidence) filter (where theme_confidence > 0),
    avg(theme_confidence) filter (where theme_confidence > 0 and is_new)
from (
    select
        assignment.theme_confidence::double precision as theme_confidence,
        (assignment.theme_slug is null)::int as is_unassigned,
        embedding.embedded_at > theme_set.fitted_at as is_new
    from analysis.theme_set
    inner join analysis.theme_assignment as assignment using (theme_set_id)
    inner join analysis.embedding using (text_sha256, encoder_version)
    where theme_set.theme_set_id = %s
) as read
"""
# The first hashes in order: as good as a draw by chance, and the same at every run.
FAR_TEXTS = """
select assignment.text_sha256, embedding.embedding
from analysis.theme_set
inner join analysis.theme_assignment as assignment using (theme_set_id)
inner join analysis.embedding using (text_sha256, encoder_version)
where
    theme_set.theme_set_id = %(theme_set_id)s
    and assignment.theme_confidence > 0
    and assignment.theme_confidence < theme_set.sample_mean_similarity
    and (embedding.embedded_at > theme_set.fitted_at) = %(is_new)s
order by assignment.text_sha256
limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class SetDrift:
    text_count: int
    new_text_count: int
    reasons: tuple[str, ...]


def measure_set_drift(connection: psycopg.Connection, theme_set_id: str, run_id: str) -> SetDrift:
    """Measure a set on the texts it has read, write the run's row of analysis.theme_drift and return its gist."""
    from patient_feedback.themes.drift import DriftMeasures, refit_reasons

    row = connection.execute(
        """
        select
            sample_unassigned_share, sample_mean_similarity,
            (select count(*) from analysis.embedding where embedding.encoder_version = theme_set.encoder_version)::float
            / nullif((parameters ->> 'population_count')::bigint, 0) - 1
        from analysis.theme_set
        where theme_set_id = %s
        """,
        (theme_set_id,),
    ).fetchone()
    assert row is not None
    unassigned_at_fit, similarity_at_fit, growth = row
    read = connection.execute(READ_TEXTS, (theme_set_id,)).fetchone()
    assert read is not None
    text_count, new_text_count, unassigned, new_unassigned, similarity, new_similarity = read
    regions = _new_regions(connection, theme_set_id) if new_text_count else []
    measures = DriftMeasures(
        population_growth_share=growth or 0.0,
        new_text_count=new_text_count,
        new_unassigned_share=None if new_unassigned is None else float(new_unassigned),
        new_mean_similarity=new_similarity,
        baseline_unassigned_share=unassigned_at_fit,
        baseline_mean_similarity=similarity_at_fit,
        new_region_count=len(regions),
    )
    reasons = tuple(str(reason) for reason in refit_reasons(measures))
    connection.execute(
        """
        insert into analysis.theme_drift (
            run_id, theme_set_id, assigned_count, new_text_count, population_growth_share, unassigned_share,
            new_unassigned_share, baseline_unassigned_share, mean_similarity, new_mean_similarity,
            baseline_mean_similarity, new_dense_regions, is_refit_proposed, reasons
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (run_id, theme_set_id) do update
        set measured_at = now(), assigned_count = excluded.assigned_count,
            new_text_count = excluded.new_text_count,
            population_growth_share = excluded.population_growth_share,
            unassigned_share = excluded.unassigned_share,
            new_unassigned_share = excluded.new_unassigned_share,
            mean_similarity = excluded.mean_similarity, new_mean_similarity = excluded.new_mean_similarity,
            new_dense_regions = excluded.new_dense_regions,
            is_refit_proposed = excluded.is_refit_proposed, reasons = excluded.reasons
        """,
        (
            run_id,
            theme_set_id,
            text_count,
            new_text_count,
            measures.population_growth_share,
            unassigned,
            new_unassigned,
            unassigned_at_fit,
            similarity,
            new_similarity,
            similarity_at_fit,
            Jsonb(regions),
            bool(reasons),
            list(reasons),
        ),
    )
    return SetDrift(text_count, new_text_count, reasons)


def has_proposed_refit(connection: psycopg.Connection, theme_set_id: str) -> bool:
    """Return whether the newest measurement of a set proposes to fit anew."""
    row = connection.execute(
        "select is_refit_proposed from analysis.theme_drift where theme_set_id = %s "
        "order by measured_at desc limit 1",
        (theme_set_id,),
    ).fetchone()
    return bool(row and row[0])


def _new_regions(connection: psycopg.Connection, theme_set_id: str) -> list[dict[str, object]]:
    """Return the regions of new texts that no theme covers: how many texts, and hashes of the most typical."""
    import numpy as np
    from pgvector.psycopg import register_vector

    from patient_feedback.themes.drift import new_dense_regions

    centres = stored_set(connection, theme_set_id).centres
    if centres is None:
        return []
    space = centres.space
    register_vector(connection)

    def far_texts(is_new: bool, limit: int) -> list[tuple]:
        return connection.execute(
            FAR_TEXTS, {"theme_set_id": theme_set_id, "is_new": is_new, "limit": limit}
        ).fetchall()

    def placed(rows: list[tuple]) -> NDArray[np.floating]:
        vectors = np.array([vector.to_numpy() for _, vector in rows], dtype=np.float32)
        return space.project(vectors.reshape(len(rows), -1))

    earlier = far_texts(False, REGION_SAMPLE)
    # Never more new texts than earlier ones: else chance alone would surround a new text with new ones.
    new = far_texts(True, len(earlier))
    if not new:
        return []
    return [
        {
            "text_count": len(region),
            "exemplar_text_sha256s": [new[position][0] for position in region[:REGION_EXEMPLARS]],
        }
        for region in new_dense_regions(placed(new), placed(earlier))
    ]
