"""The attack on candidate marts before they are published, how they are mended, and what the audit trail keeps of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import psycopg
from psycopg import sql

from patient_feedback.orchestration.marts import rebuild_marts
from patient_feedback.orchestration.published_tables import (
    PublishedTables,
    filled_up,
    read_published,
    read_truth,
)
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.privacy.disclosure.attack import Attack, EarlierEdition, Finding, attack
from patient_feedback.privacy.disclosure.equations import equations_of, true_equations
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.mending import Mending, harmful, mend
from patient_feedback.privacy.disclosure.published import ALL, Equation, PublishedRow, Quantity
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect

MENDINGS = 3
"""So often is a candidate mended: what hides a cell of comments hides those of its sides, which is judged anew."""


@dataclass(frozen=True)
class _Attacked:
    """The candidate and the publication before it, as the attack read them, and what it found."""

    tables: PublishedTables
    edition: Edition
    numbers: Mapping[Quantity, float]
    earlier: EarlierEdition | None
    publication_id: int | None
    found: Attack


def attack_marts(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, counts: TaskCounts
) -> dict[str, str | int]:
    """Attack the candidate's published tables, with the edition before beside them; mend what can be mended.

    What is recovered is recorded. Where it can be mended by withholding further cells, or by keeping published what the
    edition before shows anyway, that is recorded too, the cells are built again, and attacked again. Does not raise for a
    number that remains: the verdict is `check_marts`' (FB-MRT-080, FB-MRT-081). Neither the log nor the audit trail gets a
    number, only where it stands. Raises GateError where a model cannot be built again.
    """
    slot = str(candidate["slot"])
    override_count = 0
    if _was_cut_off(settings, candidate):
        rebuild_marts(settings, candidate, task_run, "int_cells_remembered")
    for mendings_left in reversed(range(MENDINGS + 1)):
        attacked = _attacked(settings, slot)
        mending = _mending(attacked) if mendings_left else None
        with connect(settings, "attack_marts") as connection:
            attack_id = _record(connection, attacked, slot, task_run.run_id)
            if mending is not None:
                override_count += _override(connection, mending, attack_id, task_run.run_id)
        if mending is None:
            break
        rebuild_marts(settings, candidate, task_run, "int_cells_remembered")
    found = attacked.found
    counts.row_count = found.suppressed_cell_count
    counts.counts.update(
        cell_count=found.cell_count,
        recovered_count=len(found.findings),
        undecided_cell_count=len(found.undecided_cells),
        override_count=override_count,
    )
    return candidate


def _was_cut_off(settings: Settings, candidate: dict[str, str | int]) -> bool:
    """Tell whether an earlier try of this task decided on cells: what follows from them may be built in part."""
    with connect(settings, "attack_marts") as connection:
        return (
            connection.execute(
                "select from audit.suppression_override where override_state = 'in_force' "
                "and decided_at >= %s::timestamptz limit 1",
                (candidate["started_at"],),
            ).fetchone()
            is not None
        )


def _attacked(settings: Settings, slot: str) -> _Attacked:
    with connect(settings, "attack_marts") as connection:
        tables = read_published(connection, slot)
        numbers = read_truth(connection, slot)
        earlier, publication_id = _earlier_edition(connection, slot, tables)
    filled_up(numbers, tables.rows, tables.families)
    edition = Edition(tables.rows, _equations(tables.rows, numbers))
    found = attack(edition, tables.families, earlier=earlier, true_numbers=numbers)
    return _Attacked(tables, edition, numbers, earlier, publication_id, found)


def _mending(attacked: _Attacked) -> Mending | None:
    """Return how the candidate can be mended; None where nothing forbids its publication, or nothing helps.

    Nor is a part mended where something remains: the gate refuses the candidate, and what was decided on it is discarded.
    """
    if not harmful(attacked.found):
        return None
    mending = mend(
        attacked.edition,
        attacked.tables.families,
        attacked.numbers,
        attacked.found,
        earlier=attacked.earlier,
    )
    return None if mending.remaining else _with_items(mending, attacked.tables.items_of)


def _with_items(mending: Mending, items_of: Mapping[str, Sequence[str]]) -> Mending:
    """Keep the items of a composite that is kept: a hidden item hides it too. Each must be as it was, like any kept cell."""
    items = {
        cell._replace(family=item): finding
        for cell, finding in mending.kept.items()
        for item in items_of.get(cell.family, ())
    }
    return replace(mending, kept={**items, **mending.kept})


def _override(connection: psycopg.Connection, mending: Mending, attack_id: str, run_id: str) -> int:
    """Write what is withheld and what is kept; return how many cells that are."""
    copied = (
        "copy audit.suppression_override (attack_id, run_id, decision, score_slug, score_version, period_kind, "
        "period_first_on, organisation_slug, part_kind, part_slug, reason) from stdin"
    )
    decided = [("withheld", *item) for item in mending.withheld.items()]
    decided += [("kept", *item) for item in mending.kept.items()]
    with connection.cursor().copy(copied) as copy:
        for decision, cell, finding in decided:
            score_slug, _, score_version = cell.family.partition(" ")
            is_service = cell.service != ALL
            copy.write_row(
                (
                    attack_id,
                    run_id,
                    decision,
                    score_slug,
                    score_version,
                    cell.period.kind,
                    cell.period.first_on,
                    cell.organisation,
                    "service" if is_service else cell.attribute,
                    cell.service if is_service else cell.stratum,
                    _reason(finding),
                )
            )
    return len(decided)


def _reason(finding: Finding) -> str:
    cell = finding.cell
    place = " ".join(
        part for part in (cell.organisation, cell.service, cell.attribute, cell.stratum) if part != ALL
    )
    return f"{finding.quantity} of {place or ALL} could be worked out: {finding.recovery}, {finding.edition}"


def _equations(rows: Iterable[PublishedRow], numbers: Mapping[Quantity, float]) -> list[Equation]:
    """Return the sums of the tables. A month without rows is one without responses, where the counts bear it out."""
    return true_equations(
        equations_of({row.cell for row in rows}, absent_months_are_empty=bool(numbers)), numbers
    )


def _earlier_edition(
    connection: psycopg.Connection, slot: str, tables: PublishedTables
) -> tuple[EarlierEdition | None, int | None]:
    """Return what is published now, as far as the candidate has the same families; None before any publication."""
    row = connection.execute(
        "select publication_id, marts_slot from audit.publication where is_current and marts_slot <> %s",
        (slot,),
    ).fetchone()
    if row is None:
        return None, None
    publication_id, published_slot = row
    published = read_published(connection, published_slot)
    rows = [
        row for row in published.rows if row.cell.family in tables.families and _is_comparable(row, tables)
    ]
    if not rows:
        return None, publication_id
    edition = Edition(rows, equations_of({row.cell for row in rows}))
    numbers = read_truth(connection, published_slot)
    filled_up(numbers, rows, tables.families)
    return EarlierEdition(edition, numbers), publication_id


def _is_comparable(row: PublishedRow, tables: PublishedTables) -> bool:
    """Tell whether the candidate measures the same thing: another model's sentiments or themes are other numbers."""
    family = tables.families[row.cell.family]
    nets = {name for name, _, _ in family.nets}
    return row.measure in {*family.numerators, *family.scores, *nets}


def _record(connection: psycopg.Connection, attacked: _Attacked, slot: str, run_id: str) -> str:
    """Write the attack and what it recovered, return its id; the slot names it, so that a slot built anew has none."""
    found = attacked.found
    attack_id = uuid4().hex
    connection.execute(
        """
        insert into audit.disclosure_attack (
            attack_id, run_id, marts_slot, earlier_publication_id, cell_count, suppressed_cell_count,
            undecided_cell_count, recovered_count
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            attack_id,
            run_id,
            slot,
            attacked.publication_id,
            found.cell_count,
            found.suppressed_cell_count,
            len(found.undecided_cells),
            len(found.findings),
        ),
    )
    copied = (
        "copy audit.recovered_cell (attack_id, reports, family_slug, quantity, recovery, edition, period_kind, "
        "period_first_on, organisation_slug, service_slug, stratum_attribute, stratum) from stdin"
    )
    with connection.cursor().copy(copied) as copy:
        for one in found.findings:
            cell = one.cell
            copy.write_row(
                (
                    attack_id,
                    sorted(attacked.tables.reports_of[cell.family]),
                    cell.family,
                    one.quantity,
                    one.recovery,
                    one.edition,
                    cell.period.kind,
                    cell.period.first_on,
                    cell.organisation,
                    cell.service,
                    cell.attribute,
                    cell.stratum,
                )
            )
    mark = sql.Identifier(slot, "disclosure_attack")
    connection.execute(sql.SQL("drop table if exists {}").format(mark))
    connection.execute(sql.SQL("create table {} (attack_id text not null)").format(mark))
    connection.execute(sql.SQL("insert into {} values (%s)").format(mark), (attack_id,))
    return attack_id
