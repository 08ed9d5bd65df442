"""Files of the landing area that no delivery names: a run stored them and was rolled back, or broke off while writing.

They hold patients' words that no account counts. One is an orphan only where its name is of the landing area's own
making, no row of landing.delivery has its hash, and no transaction that may yet write such a row holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fsspec
import psycopg

from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

_STORED = re.compile(r"/(?P<folder>[0-9a-f]{2})/(?P<sha256>(?P=folder)[0-9a-f]{62})(\.part)?$")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that no delivery names; `path` as its file system writes it."""

    path: str
    size: int


def find_orphans(settings: Settings, *, is_removing: bool = False) -> list[Orphan]:
    """Return the orphans of the landing area, and remove them where that is asked for.

    A landing area belongs to one warehouse: to another one's eyes every file in it would be an orphan.
    """
    file_system, folder = fsspec.core.url_to_fs(settings.landing_url)
    file_system.invalidate_cache()
    if not file_system.exists(folder):
        return []
    found = []
    for path, size in _stored_files(file_system, folder):
        with connect(settings, "find_orphans") as connection:
            if _is_orphan(connection, path):
                found.append(Orphan(path, size))
                if is_removing:
                    file_system.rm_file(path)
    return found


def _stored_files(file_system: Any, folder: str) -> Iterator[tuple[str, int]]:
    entries = file_system.find(folder, detail=True)
    for path in sorted(entries):
        if _STORED.search(path):
            yield path, entries[path]["size"]


def _is_orphan(connection: psycopg.Connection, path: str) -> bool:
    """Tell whether nothing names a file; holds the file to the end of the transaction where that is so."""
    stored = _STORED.search(path)
    assert stored is not None
    sha256 = stored["sha256"]
    if path.endswith(".part"):
        named = (False,)
    else:
        named = None
    held = connection.execute(
        "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (f"landed:{sha256}",)
    ).fetchone()
    if held != (True,):
        return False
    named = named or connection.execute(
        "select exists (select from landing.delivery where file_sha256 = %s or ends_with(landing_url, %s))",
        (sha256, sha256),
    ).fetchone()
    return named == (False,)
