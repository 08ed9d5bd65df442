"""Files of the landing area that no delivery names: a run stored them and was rolled back, or broke off while writing.

They hold patients' words that no account counts. One is an orphan only where its name is of the landing area's own
making, no row of landing.delivery has its hash, and no transaction that may yet write such a row holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import fsspec
import psycopg

from patient_feedback.orchestration.landing_area import try_lock_landed_file
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry

_STORED = re.compile(r"/(?P<folder>[0-9a-f]{2})/(?P<sha256>(?P=folder)[0-9a-f]{62})(?P<part>\.part)?$")


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
    entries = file_system.find(folder, detail=True)
    with connect(settings, "find_orphans") as connection:
        named = {sha256 for (sha256,) in connection.execute("select file_sha256 from landing.delivery")}
    found = []
    for path in sorted(entries):
        stored = _STORED.search(path)
        if stored is None or (stored["sha256"] in named and not stored["part"]):
            continue
        with connect(settings, "find_orphans") as connection:
            if _is_orphan(connection, stored):
                found.append(Orphan(path, entries[path]["size"]))
                if is_removing:
                    file_system.rm_file(path)
                    add_ledger_entry(connection, "landing_orphan_removed", stored["sha256"], "by_hand")
    return found


def _is_orphan(connection: psycopg.Connection, stored: re.Match[str]) -> bool:
    """Tell whether nothing names a file; where that is so it is held to the end of the transaction."""
    if not try_lock_landed_file(connection, stored["sha256"]):
        return False
    if stored["part"]:
        return True
    # Looked at again under the lock: a landing may have ended since.
    row = connection.execute(
        "select exists (select from landing.delivery where file_sha256 = %s)", (stored["sha256"],)
    ).fetchone()
    return row == (False,)
