"""What a slot holds from the build that was last published from it, so that the next build in it can go on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg

DBT_SOURCES = (".sql", ".yml", ".csv")
MOST_CHANGED = 0.2
"""Where more of the responses changed than this share, to build all anew takes less."""

# What changes rows although no response and no text changed; another server counts other transactions.
_REGISTRY = """
select
    (select system_identifier from pg_control_system()),
    -- Views stand on the tables that a migration may have made anew.
    (select version_num from public.alembic_version),
    (select theme_set_id from analysis.theme_set where is_current),
    (
        select array_agg(row (theme_slug, theme_level, theme_status, parent_theme_slug, merged_into_slug)::text
            order by theme_slug)
        from analysis.theme
    ),
    (select array_agg(topic::text order by topic_slug) from analysis.taxonomy_topic as topic)
"""


def built_from(connection: psycopg.Connection, project_dir: Path, variables: Mapping[str, object]) -> str:
    """Return a hash of all that rows depend on beside responses and texts: models, seeds, versions, themes, topics."""
    digest = hashlib.sha256(json.dumps([version("dbt-core"), variables], sort_keys=True).encode())
    for path in sorted(project_dir.rglob("*")):
        if path.suffix in DBT_SOURCES and "target" not in path.parts and path.is_file():
            digest.update(str(path.relative_to(project_dir)).encode())
            digest.update(path.read_bytes())
    digest.update(repr(connection.execute(_REGISTRY).fetchone()).encode())
    return digest.hexdigest()


def take_up(connection: psycopg.Connection, slot: str, wanted: str) -> tuple[str | None, str]:
    """Return the transactions that the slot's last build saw, null where it cannot be gone on from, and those seen now.

    From here on the slot is nobody's base until `settle` says that it was published: a build that failed halfway, or
    whose marts were refused, is not gone on from.
    """
    row = connection.execute(
        """
        delete from audit.marts_build where marts_slot = %(slot)s
        returning
            built_from = %(wanted)s
            and pg_snapshot_xmax(seen) <= pg_snapshot_xmax(pg_current_snapshot())
            and (
                select count(*) from feedback.response_change
                where
                    changed_in >= pg_snapshot_xmin(seen)
                    and not pg_visible_in_snapshot(changed_in, seen)
                    -- Restored rows bear the numbers of another server's transactions.
                    and changed_in < pg_snapshot_xmax(pg_current_snapshot())
            ) <= %(most)s * (select count(*) from feedback.response)
            and to_regclass(format('%%I.fct_responses', marts_slot)) is not null,
            seen::text
        """,
        {"slot": slot, "wanted": wanted, "most": MOST_CHANGED},
    ).fetchone()
    now = connection.execute("select pg_current_snapshot()::text").fetchone()
    assert now is not None
    return (str(row[1]) if row and row[0] else None), str(now[0])


def settle(connection: psycopg.Connection, slot: str, made_from: str, seen: str) -> None:
    """Note what the published slot was built from and which transactions it shows.

    Deleted responses of which every slot knows are forgotten here too.
    """
    connection.execute(
        "insert into audit.marts_build (marts_slot, built_from, seen) values (%s, %s, %s::pg_snapshot) "
        "on conflict (marts_slot) do update set built_from = excluded.built_from, seen = excluded.seen",
        (slot, made_from, seen),
    )
    connection.execute(
        "delete from feedback.response_change as gone "
        "where changed_in < (select min(pg_snapshot_xmin(seen)) from audit.marts_build) "
        "and not exists (select from feedback.response where response.response_id = gone.response_id)"
    )
