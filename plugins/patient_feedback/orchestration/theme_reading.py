"""Texts and their segments to the themes of one set, streamed: memory is that of one chunk, whatever there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import psycopg

from patient_feedback.orchestration.theme_registry import StoredSet, stored_set
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

if TYPE_CHECKING:
    from patient_feedback.themes.assign import ThemeAssignments

CHUNK_SIZE = 10_000
"""Texts per transaction: a killed run loses at most one chunk of work."""
LEAST_CONFIDENCE = 0.0001
"""Of a text that names a subject, however unlike every theme: 0 is kept for one that names none."""

UNREAD_TEXTS = """
select
    embedding.text_sha256, comment.comment_text, embedding.embedding, embedding.segmentation_version,
    assignment.text_sha256 is not null as was_read
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
    and (
        assignment.text_sha256 is null
        -- Cut into segments by other rules since.
        or assignment.segmentation_version is distinct from embedding.segmentation_version
    )
order by embedding.text_sha256
limit %(chunk_size)s
"""


class SetReader:
    """Reads texts for the themes of one stored set."""

    def __init__(self, stored: StoredSet) -> None:
        assert stored.centres is not None
        self._stored, self._centres = stored, stored.centres
        self._first: dict[int, int] = {}
        for place, subtheme in enumerate(stored.subthemes):
            self._first.setdefault(subtheme.parent, place)

    def read(self, texts: Sequence[str], vectors: Sequence) -> list[tuple[str | None, str | None, float]]:
        """Return theme and subtheme, if any, and confidence of each text."""
        import numpy as np

        from patient_feedback.themes.assign import assign_themes
        from patient_feedback.themes.content import is_contentless

        if not texts:
            return []
        found: ThemeAssignments = assign_themes(
            texts, np.array([vector.to_numpy() for vector in vectors], dtype=np.float32), self._centres
        )
        return [
            (
                self._stored.themes[theme].slug if theme >= 0 else None,
                self._stored.subthemes[self._first[theme] + subtheme].slug if subtheme >= 0 else None,
                confidence if confidence > 0.0 or is_contentless(text) else LEAST_CONFIDENCE,
            )
            for text, theme, subtheme, confidence in zip(
                texts,
                found.themes.tolist(),
                found.subthemes.tolist(),
                found.confidences.tolist(),
                strict=True,
            )
        ]


def read_unread_texts(settings: Settings, theme_set_id: str) -> int:
    """Assign every embedded text that the set has not read, one committed chunk after another; return how many."""
    from pgvector.psycopg import register_vector

    with connect(settings, "assign_themes") as connection:
        stored = stored_set(connection, theme_set_id)
    reader = SetReader(stored)
    count, after = 0, ""
    while True:
        with connect(settings, "assign_themes") as connection:
            register_vector(connection)
            rows = connection.execute(
                UNREAD_TEXTS,
                {
                    "theme_set_id": theme_set_id,
                    "encoder_version": stored.encoder_version,
                    "after": after,
                    "chunk_size": CHUNK_SIZE,
                },
            ).fetchall()
            if not rows:
                return count
            _forget(connection, theme_set_id, [row[0] for row in rows if row[4]])
            readings = reader.read([row[1] for row in rows], [row[2] for row in rows])
            _write(connection, stored, reader, rows, readings)
            count += len(rows)
            after = rows[-1][0]


def _forget(connection: psycopg.Connection, theme_set_id: str, hashes: list[str]) -> None:
    for table in ("theme_mention", "theme_assignment") if hashes else ():
        connection.execute(
            f"delete from analysis.{table} where theme_set_id = %s and text_sha256 = any(%s)",
            (theme_set_id, hashes),
        )


def _write(
    connection: psycopg.Connection,
    stored: StoredSet,
    reader: SetReader,
    rows: Sequence[tuple],
    readings: Sequence[tuple[str | None, str | None, float]],
) -> None:
    theme_set_id = stored.theme_set_id
    segments = _segment_readings(connection, stored, reader, {row[0]: row[1] for row in rows})
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy analysis.theme_assignment "
            "(text_sha256, theme_set_id, theme_slug, subtheme_slug, theme_confidence, segmentation_version) from stdin"
        ) as copy,
    ):
        for (sha256, _, _, segmentation, _), (theme, subtheme, confidence) in zip(
            rows, readings, strict=True
        ):
            copy.write_row((sha256, theme_set_id, theme, subtheme, confidence, segmentation))
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy analysis.theme_mention "
            "(text_sha256, theme_set_id, theme_slug, subtheme_slug, theme_confidence, segment_indexes) from stdin"
        ) as copy,
    ):
        for (sha256, *_), reading in zip(rows, readings, strict=True):
            for mention in text_mentions(reading, segments.get(sha256, ())):
                copy.write_row((sha256, theme_set_id, *mention))


def text_mentions(
    reading: tuple[str | None, str | None, float],
    segment_readings: Sequence[tuple[int, str | None, str | None, float]],
) -> list[tuple[str, str | None, float, list[int]]]:
    """Return each theme that a text speaks of: slug, subtheme, confidence and the segments that name it.

    The text's own theme comes first, with the text's own subtheme and confidence; another theme has those
    of the segment that is nearest to it.
    """
    mentions: dict[str, tuple[str | None, float, list[int]]] = {}
    if reading[0] is not None:
        mentions[reading[0]] = (reading[1], reading[2], [])
    for index, theme, subtheme, confidence in segment_readings:
        if theme is None:
            continue
        known = mentions.get(theme)
        if known is None or (theme != reading[0] and confidence > known[1]):
            mentions[theme] = (subtheme, confidence, [*(known[2] if known else ()), index])
        else:
            known[2].append(index)
    return [(theme, *mention) for theme, mention in mentions.items()]


def _segment_readings(
    connection: psycopg.Connection, stored: StoredSet, reader: SetReader, texts: dict[str, str]
) -> dict[str, list[tuple[int, str | None, str | None, float]]]:
    """Return the readings of the segments of each text that has some."""
    rows = connection.execute(
        """
        select text_sha256, segment_index, start_character, end_character, embedding
        from analysis.text_segment
        where encoder_version = %s and text_sha256 = any(%s)
        order by text_sha256, segment_index
        """,
        (stored.encoder_version, list(texts)),
    ).fetchall()
    readings = reader.read([texts[row[0]][row[2] : row[3]] for row in rows], [row[4] for row in rows])
    by_text: dict[str, list[tuple[int, str | None, str | None, float]]] = {}
    for (sha256, index, *_), (theme, subtheme, confidence) in zip(rows, readings, strict=True):
        by_text.setdefault(sha256, []).append((index, theme, subtheme, confidence))
    return by_text
