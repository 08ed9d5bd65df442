"""Marts: built in the slot that is not published, tested, checked, then published in one transaction."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from patient_feedback.errors import GateError, WarehouseError
from patient_feedback.orchestration import slot_state
from patient_feedback.orchestration.analysis import versions_in_force
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.settings import Role, Settings
from patient_feedback.warehouse.connection import connect
from patient_feedback.warehouse.ledger import add_ledger_entry, last_ledger_id

SLOTS = ("marts_blue", "marts_green")
PUBLISHED_SCHEMAS = ("patient_experience", "audit_trail")
PUBLISH_LOCK_TIMEOUT = "30s"


def build_marts(settings: Settings, task_run: TaskRun, counts: TaskCounts) -> dict[str, str | int]:
    """Build and test every model in the slot that is not published; return the slot and what it includes.

    Goes on from what the slot holds where only responses and texts changed since it was published, else builds anew.
    Each test leaves a row in audit.check_result. Raises GateError where a model cannot be built; a failed
    test does not raise here: the verdict is `check_marts`', after the marts gate has spoken too.
    """
    versions = versions_in_force(settings)
    variables: dict[str, object] = {
        "encoder_version": versions.encoder,
        "sentiment_model_version": versions.sentiment,
        "topic_model_version": versions.topics,
        "supported_languages": list(versions.languages),
        "serious_detector_version": versions.serious,
    }
    with connect(settings, "build_marts") as connection:
        slot = _candidate_slot(connection)
        feedback_ledger_id = last_ledger_id(connection)
        started_at = connection.execute("select now()::text").fetchone()
        assert started_at is not None
        discard_overrides(connection)
        built_from = slot_state.built_from(connection, settings.project_dir / "dbt_project", variables)
        changed_since, seen = slot_state.take_up(connection, slot, built_from)
        if changed_since is None:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(slot)))
    candidate: dict[str, str | int] = {
        "slot": slot,
        "feedback_ledger_id": feedback_ledger_id,
        "started_at": started_at[0],
        "variables": json.dumps(variables),
        "changed_since": changed_since or "",
        "built_from": built_from,
        "seen": seen,
    }
    selection = () if changed_since is None else ("--selector", "going_on")
    results = _build(settings, candidate, task_run, *selection)
    tests = [result for result in results if result["unique_id"].startswith(("test.", "unit_test."))]
    counts.row_count = sum(result["unique_id"].startswith(("model.", "seed.")) for result in results)
    counts.counts.update(
        test_count=len(tests),
        failed_test_count=sum(result["status"] not in ("pass", "success") for result in tests),
        is_incremental=int(changed_since is not None),
    )
    return candidate


def rebuild_marts(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, first_model: str
) -> None:
    """Build and test a model of the candidate again, and all that is made from it, in every period.

    Raises GateError where a model cannot be built.
    """
    with connect(settings, task_run.task_id) as connection:
        # A rebuild that was cut off may have left other reports than the hashes say.
        connection.execute(
            sql.SQL("update {} set cells_hash = null").format(
                sql.Identifier(str(candidate["slot"]), "int_periods_reported")
            )
        )
    _build(settings, candidate, task_run, "--select", f"{first_model}+")


def check_marts(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, counts: TaskCounts
) -> dict[str, str | int]:
    """Run the marts gate on the candidate; raise GateError naming the checks that forbid its publication."""
    from patient_feedback.checks.runner import GateSubject, run_gate

    slot = str(candidate["slot"])
    outcomes = run_gate(settings, "marts", GateSubject(name=slot, schema=slot), task_run.run_id)
    counts.row_count = len(outcomes)
    counts.counts["failed_check_count"] = sum(outcome.outcome != "passed" for outcome in outcomes)
    with connect(settings, "check_marts") as connection:
        stopping = connection.execute(
            """
            select check_id
            from (
                -- What a test said before the candidate was mended no longer counts.
                select distinct on (check_id) check_id, outcome, effect
                from audit.check_result
                where run_id = %s and checked_subject = %s and checked_at >= %s::timestamptz
                order by check_id, checked_at desc, check_result_id desc
            ) as latest
            where outcome <> 'passed' and (effect = 'stop_publication' or outcome = 'error')
            order by check_id
            """,
            (task_run.run_id, slot, candidate["started_at"]),
        ).fetchall()
    if stopping:
        raise GateError(
            f"The marts in {slot} are not published, the published ones stay as they were: "
            f"{', '.join(check_id for (check_id,) in stopping)} did not pass. "
            "See audit_trail.fct_check_results and expectations/check_register.md."
        )
    return candidate


def publish_marts(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, counts: TaskCounts
) -> None:
    """Point the published views at the candidate, all of them or none."""
    slot = str(candidate["slot"])
    marts = _marts_of(settings, slot)
    with connect(settings, "publish_marts") as connection:
        connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(PUBLISH_LOCK_TIMEOUT)))
        connection.execute("select pg_advisory_xact_lock(hashtext('publish_marts'))")
        # Whatever changed in between may be in some rows and not in others: no base for the next build.
        variables = json.loads(str(candidate["variables"]))
        built_from = slot_state.built_from(connection, settings.project_dir / "dbt_project", variables)
        if built_from == candidate["built_from"]:
            slot_state.settle(connection, slot, built_from, str(candidate["seen"]))
        connection.execute("update audit.publication set is_current = false where is_current")
        connection.execute(
            """
            insert into audit.publication (marts_slot, run_id, feedback_ledger_id, theme_set_id)
            values (%s, %s, %s, (select theme_set_id from analysis.theme_set where is_current))
            """,
            (slot, task_run.run_id, candidate["feedback_ledger_id"]),
        )
        _withdraw_views(connection, marts)
        for schema, model in marts:
            _publish_view(connection, schema, model, slot)
        row = connection.execute("select count(*) from patient_experience.fct_comments").fetchone()
        assert row is not None
        counts.row_count = int(row[0])
        counts.counts["view_count"] = len(marts)
        add_ledger_entry(
            connection, "marts_published", slot, task_run.run_id, row[0], {"view_count": len(marts)}
        )


def write_data_dictionary(settings: Settings) -> Path:
    """Write what every published table and column means as one page that fetches nothing; return its path."""
    with connect(settings, "write_data_dictionary") as connection:
        slot = _published_slot(connection)
    if slot is None:
        raise GateError("Nothing is published yet: `make run` first, then `make docs`.")
    _invoke_dbt(settings, slot, ["docs", "generate", "--static"], "{}")
    page = settings.home / "data_dictionary.html"
    shutil.copyfile(_target_path(settings, slot) / "static_index.html", page)
    return page


def _published_slot(connection: psycopg.Connection) -> str | None:
    row = connection.execute("select marts_slot from audit.publication where is_current").fetchone()
    return str(row[0]) if row else None


def _candidate_slot(connection: psycopg.Connection) -> str:
    return SLOTS[1] if _published_slot(connection) == SLOTS[0] else SLOTS[0]


def _target_path(settings: Settings, slot: str) -> Path:
    """One folder per slot: dbt parses everything anew where the profile differs from the last one in a folder."""
    return settings.home / "dbt" / "target" / slot


def _log_path(settings: Settings) -> Path:
    return settings.home / "dbt" / "logs"


def _withdraw_views(connection: psycopg.Connection, marts: list[tuple[str, str]]) -> None:
    """Drop views of models that no longer exist or that changed their columns; `replace` does the rest."""
    present = connection.execute(
        "select schemaname, viewname from pg_views where schemaname = any(%s)", (list(PUBLISHED_SCHEMAS),)
    ).fetchall()
    for schema, view in present:
        if (schema, view) not in marts:
            connection.execute(sql.SQL("drop view {}").format(sql.Identifier(schema, view)))


def _publish_view(connection: psycopg.Connection, schema: str, model: str, slot: str) -> None:
    columns = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
        "order by attnum",
        (f'"{slot}"."{model}"',),
    ).fetchall()
    if not columns:
        raise WarehouseError(f"{slot}.{model} has no columns: build the marts before they are published.")
    view = sql.Identifier(schema, model)
    statement = sql.SQL("create or replace view {} as select {} from {}").format(
        view, sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns), sql.Identifier(slot, model)
    )
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.InvalidTableDefinition:
        # The columns changed: only a new view can carry them; grants come from the default privileges.
        connection.execute(sql.SQL("drop view {}").format(view))
        connection.execute(statement)


def _marts_of(settings: Settings, slot: str) -> list[tuple[str, str]]:
    manifest = json.loads((_target_path(settings, slot) / "manifest.json").read_text(encoding="utf-8"))
    return sorted(
        (node["fqn"][2], node["name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["fqn"][1] == "marts"
        and node["fqn"][2] in PUBLISHED_SCHEMAS
    )


def _build(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, *selection: str
) -> list[dict[str, Any]]:
    """Have dbt build and test what is selected in the candidate's slot; return its results."""
    from patient_feedback.checks.dbt_results import record_dbt_results

    slot = str(candidate["slot"])
    target = _target_path(settings, slot)
    _invoke_dbt(
        settings,
        slot,
        ["build", "--exclude-resource-type", "unit_test", *selection],
        str(candidate["variables"]),
        str(candidate.get("changed_since", "")),
    )
    with connect(settings, task_run.task_id) as connection:
        record_dbt_results(
            connection, target / "run_results.json", target / "manifest.json", task_run.run_id, slot
        )
    results: list[dict[str, Any]] = json.loads((target / "run_results.json").read_text(encoding="utf-8"))[
        "results"
    ]
    broken = sorted(
        result["unique_id"]
        for result in results
        if result["unique_id"].startswith(("model.", "seed.")) and result["status"] == "error"
    )
    if broken:
        raise GateError(
            f"dbt could not build {', '.join(broken)} in {slot}; the published marts stay as they were. "
            f"See {_log_path(settings)}; run `build_marts` again after the repair."
        )
    return results


def discard_overrides(connection: psycopg.Connection) -> None:
    """Take back what was decided for candidates that were not published: the next one is judged anew."""
    connection.execute(
        "update audit.suppression_override set override_state = 'discarded' "
        "where override_state = 'in_force' and decided_at > "
        "coalesce((select published_at from audit.publication where is_current), '-infinity')"
    )


def _invoke_dbt(
    settings: Settings, slot: str, command: list[str], variables: str, changed_since: str = ""
) -> None:
    from dbt.cli.main import dbtRunner

    environment = {
        "FEEDBACK_DB_HOST": settings.db_host,
        "FEEDBACK_DB_PORT": str(settings.db_port),
        "FEEDBACK_DB_NAME": settings.db_name,
        "FEEDBACK_DBT_USER": str(Role.PIPELINE),
        "FEEDBACK_SECRET_PIPELINE_PASSWORD": settings.password(Role.PIPELINE),
        "FEEDBACK_MARTS_SLOT": slot,
        "FEEDBACK_CHANGED_SINCE": changed_since,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    project = str(settings.project_dir / "dbt_project")
    folder = settings.home / "dbt"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with _environment(environment):
        result = dbtRunner().invoke(
            [
                *command,
                "--project-dir",
                project,
                "--profiles-dir",
                project,
                "--target-path",
                str(_target_path(settings, slot)),
                "--log-path",
                str(_log_path(settings)),
                # A refused row is quoted in dbt's messages: they go to the file alone, never to the task's log.
                "--log-level",
                "none",
                "--log-level-file",
                "info",
                "--no-use-colors",
                "--vars",
                variables,
            ]
        )
    if result.exception is not None:
        raise GateError(
            f"dbt {' '.join(command)} ended with {type(result.exception).__name__} before it could build; "
            f"the published marts stay as they were. See {_log_path(settings)}."
        )


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
