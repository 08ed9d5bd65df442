"""Outcomes of checks, their verdict, and their rows in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import psycopg

from patient_feedback.checks.suites import STOPPING, Effect, Suite
from patient_feedback.errors import GateError

Tool = Literal["great_expectations", "dbt"]
Outcome = Literal["passed", "failed", "error"]

_SYNC_LOCK = "audit.check_definition"


@dataclass(frozen=True, slots=True)
class CheckDefinition:
    """What audit.check_definition says about a check; the fields are its columns."""

    check_id: str
    tool: Tool
    gate: str
    checked_table: str
    severity: str
    dimension: str
    owner: str
    effect: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What became of one check on one subject. Counts and names only, never a delivered value."""

    check_id: str
    outcome: Outcome
    effect: str
    severity: str
    evaluated_count: int | None = None
    unexpected_count: int | None = None
    outcome_note: str | None = None
    title: str = ""
    field: str | None = None
    unexpected_rows_sql: str | None = None
    """Selects the keys of the rows that failed; None where a check does not judge rows by a query."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether what was checked may pass on."""

    stopping: tuple[CheckOutcome, ...]
    """Failed checks whose effect is to stop."""
    undecided: tuple[CheckOutcome, ...]
    """Checks that raised an error and whose effect is more than a report: nobody knows, so nothing passes."""

    @property
    def is_open(self) -> bool:
        return not self.stopping and not self.undecided


def gate_verdict(outcomes: Iterable[CheckOutcome]) -> GateVerdict:
    """Return which outcomes keep the gate shut; a check that raised an error is never a pass."""
    outcomes = tuple(outcomes)
    return GateVerdict(
        stopping=tuple(one for one in outcomes if one.outcome == "failed" and one.effect in STOPPING),
        undecided=tuple(one for one in outcomes if one.outcome == "error" and one.effect != Effect.REPORT),
    )


def require_decided(outcomes: Iterable[CheckOutcome], subject: str) -> None:
    """Raise GateError where a check whose effect matters could not be evaluated."""
    undecided = gate_verdict(outcomes).undecided
    if undecided:
        named = "; ".join(f"{one.check_id} ({one.outcome_note})" for one in undecided)
        raise GateError(
            f"The gate cannot decide about {subject}, since these checks could not be evaluated: {named}. "
            "Nothing was changed. Correct the check or what it reads, then run the gate again."
        )


def require_open(outcomes: Iterable[CheckOutcome], subject: str) -> None:
    """Raise GateError that names the checks which keep the gate shut."""
    outcomes = tuple(outcomes)
    require_decided(outcomes, subject)
    stopping = gate_verdict(outcomes).stopping
    if stopping:
        named = "; ".join(f"{one.check_id} {one.title}" for one in stopping)
        raise GateError(
            f"The gate stays shut for {subject}: {named}. What was published stays as it was. "
            "See audit_trail.fct_check_results for counts and expectations/check_register.md for the reasons."
        )


def definitions_of(suites: Iterable[Suite]) -> list[CheckDefinition]:
    """Return the definition of every check of the suites."""
    return [
        CheckDefinition(
            check_id=check.id,
            tool="great_expectations",
            gate=suite.gate,
            checked_table=suite.table,
            severity=check.severity,
            dimension=check.dimension,
            owner=check.owner,
            effect=check.effect,
            title=check.title,
            why=check.why,
        )
        for suite in suites
        for check in suite.checks
    ]


def sync_definitions(
    connection: psycopg.Connection, definitions: Sequence[CheckDefinition], tool: Tool, gate: str
) -> None:
    """Bring audit.check_definition of a tool and gate up to date; a check that is gone becomes inactive."""
    columns = [field.name for field in fields(CheckDefinition)]
    # Two gates at once would otherwise wait for each other's rows in different orders.
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (_SYNC_LOCK,))
    known = {
        row[0]: row[1:]
        for row in connection.execute(
            f"select {', '.join(columns)}, is_active from audit.check_definition "
            "where tool = %s and gate = %s",
            (tool, gate),
        )
    }
    for definition in definitions:
        values = tuple(str(getattr(definition, column)) for column in columns)
        if known.get(definition.check_id) == (*values[1:], True):
            continue
        connection.execute(
            f"""
            insert into audit.check_definition ({", ".join(columns)}, is_active)
            values ({", ".join(["%s"] * len(columns))}, true)
            on conflict (check_id) do update set
                {", ".join(f"{column} = excluded.{column}" for column in columns[1:])}, is_active = true
            """,
            values,
        )
    gone = sorted(set(known) - {definition.check_id for definition in definitions})
    connection.execute(
        "update audit.check_definition set is_active = false where check_id = any(%s) and is_active", (gone,)
    )


def record_outcomes(
    connection: psycopg.Connection,
    outcomes: Sequence[CheckOutcome],
    tool: Tool,
    gate: str,
    subject: str,
    run_id: str,
) -> None:
    """Add a row to audit.check_result for every outcome, passes too."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into audit.check_result (
                run_id, check_id, tool, gate, checked_subject, outcome, severity, effect,
                evaluated_count, unexpected_count, outcome_note
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    run_id,
                    one.check_id,
                    tool,
                    gate,
                    subject,
                    one.outcome,
                    str(one.severity),
                    str(one.effect),
                    one.evaluated_count,
                    one.unexpected_count,
                    one.outcome_note,
                )
                for one in outcomes
            ],
        )
