"""Brings the outcomes of dbt's tests into the audit trail, beside those of Great Expectations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from patient_feedback.checks.outcomes import (
    CheckDefinition,
    CheckOutcome,
    Outcome,
    record_outcomes,
    sync_definitions,
)
from patient_feedback.checks.suites import Dimension, Effect, Severity
from patient_feedback.errors import CheckDefinitionError

TEST_KINDS = ("test.", "unit_test.")
DEFAULT_OWNER = "analytics-engineering"
OUTCOMES: dict[str, Outcome] = {"pass": "passed", "success": "passed", "fail": "failed", "warn": "failed"}
"""Any other status (error, skipped, runtime error) leaves open whether the rule holds: outcome 'error'."""

_DIMENSION_OF_TEST = {
    "not_null": Dimension.COMPLETENESS,
    "unique": Dimension.UNIQUENESS,
    "unique_combination": Dimension.UNIQUENESS,
    "relationships": Dimension.CONSISTENCY,
    "accepted_values": Dimension.VALIDITY,
}


def record_dbt_results(
    connection: psycopg.Connection, run_results_path: Path, manifest_path: Path, run_id: str, slot: str
) -> list[CheckOutcome]:
    """Record every test and unit test of a dbt run on `slot`, passes too; return the outcomes.

    A test's meta may state check_id, title, severity, dimension, owner and why. Without a check_id its id is
    `FB-DBT-` and its name. Raises CheckDefinitionError where two tests claim one id or meta is not allowed.
    """
    manifest = _load(manifest_path)
    tests = {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}
    definitions = {
        unique_id: _definition(unique_id, node, manifest)
        for unique_id, node in sorted(tests.items())
        if unique_id.startswith(TEST_KINDS)
    }
    _refuse_shared_ids(definitions)
    outcomes = [
        _outcome(definitions[result["unique_id"]], result)
        for result in _load(run_results_path)["results"]
        if result["unique_id"] in definitions
    ]
    sync_definitions(connection, list(definitions.values()), "dbt", "marts")
    record_outcomes(connection, outcomes, "dbt", "marts", slot, run_id)
    return outcomes


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckDefinitionError(f"{path} does not exist: dbt ended before it wrote its results.") from None
    assert isinstance(loaded, dict)
    return loaded


def _definition(unique_id: str, node: Mapping[str, Any], manifest: Mapping[str, Any]) -> CheckDefinition:
    config = node.get("config") or {}
    meta = {**(node.get("meta") or {}), **(config.get("meta") or {})}
    is_error = str(config.get("severity") or "error").lower() == "error"
    description = " ".join(str(node.get("description") or "").split())
    name = str(node["name"])
    readable = re.sub(r"[_\s]+", " ", name).strip()
    return CheckDefinition(
        check_id=str(meta.get("check_id") or f"FB-DBT-{_own_name(node)}"),
        tool="dbt",
        gate="marts",
        checked_table=_checked_table(node, manifest),
        severity=_allowed(
            unique_id, "severity", meta, Severity, Severity.CRITICAL if is_error else Severity.WARNING
        ),
        dimension=_allowed(unique_id, "dimension", meta, Dimension, _default_dimension(node)),
        owner=str(meta.get("owner") or DEFAULT_OWNER),
        effect=str(Effect.STOP_PUBLICATION if is_error else Effect.REPORT),
        title=str(meta.get("title") or readable[:1].upper() + readable[1:]),
        why=str(meta.get("why") or description or "A rule of the marts; see the model's description."),
    )


def _own_name(node: Mapping[str, Any]) -> str:
    """Return a name that no other test has; unit tests of two models may share theirs."""
    if node.get("resource_type") == "unit_test":
        return f"{node['model']}.{node['name']}"
    return str(node["name"])


def _checked_table(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    attached = node.get("attached_node") or node.get("tested_node_unique_id")
    if attached in manifest.get("nodes", {}):
        return str(manifest["nodes"][attached]["name"])
    if node.get("model"):
        return str(node["model"])
    names = sorted(
        unique_id.rsplit(".", 1)[-1] for unique_id in (node.get("depends_on") or {}).get("nodes", [])
    )
    return ", ".join(names) or "marts"


def _default_dimension(node: Mapping[str, Any]) -> Dimension:
    kind = str((node.get("test_metadata") or {}).get("name") or "")
    for name, dimension in _DIMENSION_OF_TEST.items():
        if kind.startswith(name):
            return dimension
    return Dimension.ACCURACY if node.get("resource_type") == "unit_test" else Dimension.CONSISTENCY


def _allowed(
    unique_id: str,
    field: str,
    meta: Mapping[str, Any],
    values: type[Severity] | type[Dimension],
    default: str,
) -> str:
    given = str(meta.get(field) or default)
    if given not in list(values):
        raise CheckDefinitionError(
            f"dbt test {unique_id}: meta field '{field}' is '{given}'; allowed: {', '.join(values)}."
        )
    return given


def _refuse_shared_ids(definitions: Mapping[str, CheckDefinition]) -> None:
    shared = sorted(_shared(definitions))
    if shared:
        raise CheckDefinitionError(
            "Two dbt tests claim one check_id; give each its own: "
            + "; ".join(f"{check_id} ({one}, {other})" for check_id, one, other in shared)
        )


def _shared(definitions: Mapping[str, CheckDefinition]) -> Iterator[tuple[str, str, str]]:
    first: dict[str, str] = {}
    for unique_id, definition in definitions.items():
        if definition.check_id in first:
            yield definition.check_id, first[definition.check_id], unique_id
        first.setdefault(definition.check_id, unique_id)


def _outcome(definition: CheckDefinition, result: Mapping[str, Any]) -> CheckOutcome:
    status = str(result["status"]).lower()
    outcome = OUTCOMES.get(status, "error")
    return CheckOutcome(
        check_id=definition.check_id,
        outcome=outcome,
        effect=definition.effect,
        severity=definition.severity,
        unexpected_count=result.get("failures") if outcome != "error" else None,
        # dbt's own message may quote a row that the database refused.
        outcome_note=f"not evaluated: {status}" if outcome == "error" else None,
        title=definition.title,
    )
