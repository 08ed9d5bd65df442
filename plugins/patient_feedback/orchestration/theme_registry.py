"""The registry of themes in the warehouse: slugs that go on from set to set, and what became of each theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from patient_feedback.themes.assign import ThemeAssignments, ThemeCentres
    from patient_feedback.themes.fit import SubthemeModel, ThemeModel
    from patient_feedback.themes.lineage import LineageEntry


@dataclass(frozen=True, slots=True)
class StoredTheme:
    """A theme or subtheme of a stored set."""

    slug: str
    parent: int
    """Place of its theme among the set's themes; -1 for a theme."""


@dataclass(frozen=True, slots=True)
class StoredSet:
    theme_set_id: str
    encoder_version: str
    themes: tuple[StoredTheme, ...]
    """In the order of the centres."""
    subthemes: tuple[StoredTheme, ...]
    """In the order of the centres, theme after theme."""
    centres: ThemeCentres | None
    """None in a set that was fitted before centres were kept."""


@dataclass(frozen=True, slots=True)
class FittedTheme:
    """One theme or subtheme of a fitted model."""

    model: ThemeModel | SubthemeModel
    position: int
    """Place within `model`."""
    parent: int
    """Place of its theme among the themes; -1 for a theme."""

    @property
    def label(self) -> str:
        return self.model.labels[self.position]


@dataclass(frozen=True, slots=True)
class RegisteredTheme:
    slug: str
    fitted: FittedTheme
    is_kept: bool
    similarity: float | None
    """Cosine to the theme that held the slug before; None for a new slug, or in another space."""
    follows_slug: str | None
    """Theme that people had merged away and that held most of this new one's texts."""


@dataclass(frozen=True, slots=True)
class RegisteredLevel:
    themes: tuple[RegisteredTheme, ...]
    lineage: tuple[tuple[str | None, str | None, str, float | None, float | None], ...]
    """Previous slug, slug, relation, share of shared members, similarity."""

    @property
    def slugs(self) -> list[str]:
        return [theme.slug for theme in self.themes]


@dataclass(frozen=True, slots=True)
class RegisteredSet:
    """A fitted model's themes and subthemes under their slugs."""

    themes: RegisteredLevel
    subthemes: RegisteredLevel

    @property
    def kept_count(self) -> int:
        return sum(theme.is_kept for theme in self.themes.themes)


def stored_set(connection: psycopg.Connection, theme_set_id: str) -> StoredSet:
    """Return a stored set's themes and centres."""
    from patient_feedback.themes.assign import ThemeCentres

    row = connection.execute(
        "select encoder_version, centres from analysis.theme_set where theme_set_id = %s", (theme_set_id,)
    ).fetchone()
    assert row is not None
    encoder_version, centres = row
    members = connection.execute(
        "select theme_slug, parent_theme_slug, theme_position from analysis.theme_set_member "
        "where theme_set_id = %s order by theme_position, theme_slug",
        (theme_set_id,),
    ).fetchall()
    place = {
        slug: number for number, slug in enumerate(slug for slug, parent, _ in members if parent is None)
    }
    finer = sorted(
        (place[parent], position, slug) for slug, parent, position in members if parent is not None
    )
    return StoredSet(
        theme_set_id,
        encoder_version,
        tuple(StoredTheme(slug, -1) for slug in place),
        tuple(StoredTheme(slug, parent) for parent, _, slug in finer),
        ThemeCentres.from_bytes(bytes(centres)) if centres is not None else None,
    )


def register_themes(
    connection: psycopg.Connection,
    previous_set_id: str | None,
    encoder_version: str,
    model: ThemeModel,
    hashes: Sequence[str],
    assignments: ThemeAssignments,
) -> RegisteredSet:
    """Decide the slug of every theme and subtheme of a fitted model, by the texts that the previous set read too.

    `assignments` are the sample's, in the order of `hashes`. Holds the registry's lock until the
    transaction ends, so that no decision by people comes between.
    """
    import numpy as np

    connection.execute("select pg_advisory_xact_lock(hashtext('theme_registry'))")
    previous = stored_set(connection, previous_set_id) if previous_set_id else StoredSet("", "", (), (), None)
    taken = {slug for (slug,) in connection.execute("select theme_slug from analysis.theme")}
    merged_away = _merged_away(connection)
    themes = [FittedTheme(model, position, -1) for position in range(len(model.labels))]
    subthemes = [
        FittedTheme(finer, position, parent)
        for parent, finer in enumerate(model.subthemes)
        for position in range(len(finer.labels))
    ]
    first = {
        theme.parent: place for place, theme in reversed(list(enumerate(subthemes)))
    }  # by theme, where its subthemes begin
    subthemes_of = np.array(
        [
            first[theme] + subtheme if subtheme >= 0 else -1
            for theme, subtheme in zip(
                assignments.themes.tolist(), assignments.subthemes.tolist(), strict=True
            )
        ],
        np.int64,
    )
    read = _read_before(connection, previous.theme_set_id, hashes)
    was_read = np.array([sha256 in read for sha256 in hashes], bool)
    before = [read[sha256] for sha256 in hashes if sha256 in read]

    def cosines(of: Callable[[ThemeCentres], NDArray[np.float32]]) -> NDArray[np.float64] | None:
        if previous.centres is None or not _is_one_space(previous, encoder_version, model):
            return None
        return np.asarray(of(previous.centres), np.float64) @ np.asarray(of(model.centres), np.float64).T

    level = _register_level(
        previous.themes,
        themes,
        [slug for slug, _ in before],
        assignments.themes[was_read],
        cosines(lambda centres: centres.centroids),
        taken,
        merged_away,
    )
    successors = {theme.slug: place for place, theme in enumerate(level.themes)}
    finer_level = _register_level(
        previous.subthemes,
        subthemes,
        [slug for _, slug in before],
        subthemes_of[was_read],
        cosines(_subtheme_centroids),
        taken | set(successors),
        merged_away,
        [successors.get(previous.themes[one.parent].slug, -1) for one in previous.subthemes],
    )
    return RegisteredSet(level, finer_level)


def write_themes(
    connection: psycopg.Connection, theme_set_id: str, registered: RegisteredSet, hashes: Sequence[str]
) -> None:
    """Write themes, members and lineage of the set in force, then what follows from people's decisions."""
    from pgvector import HalfVector

    slugs = registered.themes.slugs
    rows = [
        (
            theme,
            theme.fitted.model,
            theme.fitted.position,
            slugs[parent] if (parent := theme.fitted.parent) >= 0 else None,
        )
        for theme in (*registered.themes.themes, *registered.subthemes.themes)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into analysis.theme (theme_slug, theme_label, theme_level, parent_theme_slug, follows_slug)
            values (%s, %s, %s, %s, %s)
            on conflict (theme_slug) do nothing
            """,
            [
                (
                    theme.slug,
                    theme.fitted.label,
                    "subtheme" if parent else "theme",
                    parent,
                    theme.follows_slug,
                )
                for theme, _, _, parent in rows
            ],
        )
        cursor.executemany(
            """
            insert into analysis.theme_set_member (
                theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count,
                matched_theme_slug, match_similarity, theme_label, theme_level, parent_theme_slug, theme_position
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    theme_set_id,
                    theme.slug,
                    HalfVector(model.centroids[position]),
                    list(model.keywords[position]),
                    [hashes[exemplar] for exemplar in model.exemplars[position]],
                    model.member_counts[position],
                    theme.slug if theme.is_kept else None,
                    theme.similarity,
                    theme.fitted.label,
                    "subtheme" if parent else "theme",
                    parent,
                    position,
                )
                for theme, model, position, parent in rows
            ],
        )
        cursor.executemany(
            """
            insert into analysis.theme_lineage (
                theme_set_id, theme_level, previous_theme_slug, theme_slug, relation, shared_member_share, similarity
            )
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (theme_set_id, level, *entry)
                for level, part in (("theme", registered.themes), ("subtheme", registered.subthemes))
                for entry in part.lineage
            ],
        )
    settle_themes(connection)


def settle_themes(connection: psycopg.Connection) -> None:
    """Give every theme the status, label and merger that follow from the set in force and from people's decisions."""
    connection.execute("select analysis.settle_themes()")


def _register_level(
    previous: Sequence[StoredTheme],
    fitted: Sequence[FittedTheme],
    previous_slugs: Sequence[str | None],
    fitted_of: NDArray[np.int64],
    similarities: NDArray[np.float64] | None,
    taken: set[str],
    merged_away: dict[str, str],
    successors: Sequence[int] | None = None,
) -> RegisteredLevel:
    """Register one level; `previous_slugs` and `fitted_of` say where the texts lie that both sets read.

    `successors` gives for each previous subtheme the place of the new theme that its own goes on in.
    """
    import numpy as np

    from patient_feedback.themes.lineage import followed_themes, trace_lineage
    from patient_feedback.themes.match import match_themes, shared_members
    from patient_feedback.themes.slugs import decide_slugs

    slugs = [theme.slug for theme in previous]
    place = {slug: number for number, slug in enumerate(slugs)}
    previous_of = np.array([place.get(slug or "", -1) for slug in previous_slugs], np.int64)
    shared = shared_members(previous_of, fitted_of, len(previous), len(fitted))
    parents = None if successors is None else [theme.parent for theme in fitted]
    matches = match_themes(shared, similarities, successors, parents)
    decisions = decide_slugs([theme.label for theme in fitted], matches, slugs, taken)
    partners = {one.new_index: one.previous_index for one in matches if one.previous_index is not None}
    followed = {
        new: merged_away[slugs[old]]
        for new, old in followed_themes(shared, partners).items()
        if slugs[old] in merged_away
    }

    def similarity(old: int | None, new: int | None) -> float | None:
        return None if similarities is None or old is None or new is None else float(similarities[old, new])

    def named(entry: LineageEntry) -> tuple[str | None, str | None, str, float | None, float | None]:
        old, new = entry.previous_index, entry.new_index
        return (
            None if old is None else slugs[old],
            None if new is None else decisions[new].slug,
            str(entry.relation),
            entry.shared_member_share,
            similarity(old, new),
        )

    return RegisteredLevel(
        tuple(
            RegisteredTheme(
                decision.slug,
                theme,
                not decision.is_new,
                similarity(partners.get(new), new),
                followed.get(new),
            )
            for new, (decision, theme) in enumerate(zip(decisions, fitted, strict=True))
        ),
        tuple(named(entry) for entry in trace_lineage(shared, partners)),
    )


def _subtheme_centroids(centres: ThemeCentres) -> NDArray[np.float32]:
    import numpy as np

    dimensions = len(centres.space.projection)
    return np.concatenate([np.zeros((0, dimensions), np.float32), *centres.subtheme_centroids])


def _is_one_space(previous: StoredSet, encoder_version: str, model: ThemeModel) -> bool:
    """Return whether cosines between the two sets' centres mean anything."""
    import numpy as np

    return (
        previous.encoder_version == encoder_version
        and previous.centres is not None
        and np.array_equal(previous.centres.space.projection, model.space.projection)
        and np.array_equal(previous.centres.space.offset, model.space.offset)
    )


def _read_before(
    connection: psycopg.Connection, theme_set_id: str, hashes: Sequence[str]
) -> dict[str, tuple[str | None, str | None]]:
    """Return theme and subtheme, if any, of those texts that a set has read."""
    return {
        sha256: (theme, subtheme)
        for sha256, theme, subtheme in connection.execute(
            "select text_sha256, theme_slug, subtheme_slug from analysis.theme_assignment "
            "where theme_set_id = %s and text_sha256 = any(%s)",
            (theme_set_id, list(hashes)),
        )
    }


def _merged_away(connection: psycopg.Connection) -> dict[str, str]:
    """Return the themes that people merged into others, each with the one whose merger they decided.

    The two differ where a theme was merged because it follows another.
    """
    return dict(
        connection.execute(
            """
            select theme_slug, case when merged_into_slug = follows_slug then follows_slug else theme_slug end
            from analysis.theme
            where theme_status = 'merged'
            """
        ).fetchall()
    )
