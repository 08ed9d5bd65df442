"""The attack on candidate marts before they are published, and what of it the audit trail keeps."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from uuid import uuid4

import psycopg
from psycopg import sql

from patient_feedback.orchestration.published_tables import (
    PublishedTables,
    filled_up,
    read_published,
    read_truth,
)
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun
from patient_feedback.privacy.disclosure.attack import Attack, EarlierEdition, attack
from patient_feedback.privacy.disclosure.equations import equations_of, true_equations
from patient_feedback.privacy.disclosure.knowledge import Edition
from patient_feedback.privacy.disclosure.published import Equation, PublishedRow, Quantity
from patient_feedback.settings import Settings
from patient_feedback.warehouse.connection import connect


def attack_marts(
    settings: Settings, candidate: dict[str, str | int], task_run: TaskRun, counts: TaskCounts
) -> dict[str, str | int]:
    """Attack the candidate's published tables, with the edition before beside them; record what was recovered.

    Does not raise for a recovered number: the verdict is `check_marts`' (FB-MRT-080, FB-MRT-081). Neither the
    log nor the audit trail gets a number, only where it stands.
    """
    slot = str(candidate["slot"])
    with connect(settings, "attack_marts") as connection:
        tables = read_published(connection, slot)
        numbers = read_truth(connection, slot)
        earlier, publication_id = _earlier_edition(connection, slot, tables)
    filled_up(numbers, tables.rows, tables.families)
    found = attack(
        Edition(tables.rows, _equations(tables.rows, numbers)),
        tables.families,
        earlier=earlier,
        true_numbers=numbers,
    )
    with connect(settings, "attack_marts") as connection:
        _record(connection, found, tables.reports_of, slot, task_run.run_id, publication_id)
    counts.row_count = found.suppressed_cell_count
    counts.counts.update(
        cell_count=found.cell_count,
        recovered_count=len(found.findings),
        undecided_cell_count=len(found.undecided_cells),
    )
    return candidate


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
        "select publication_id, marts_slot, (published_at at time zone 'UTC')::date from audit.publication "
        "where is_current and marts_slot <> %s",
        (slot,),
    ).fetchone()
    if row is None:
        return None, None
    publication_id, published_slot, published_on = row
    published = read_published(connection, published_slot)
    rows = [
        row for row in published.rows if row.cell.family in tables.families and _is_comparable(row, tables)
    ]
    if not rows:
        return None, publication_id
    assert isinstance(published_on, datetime.date)
    edition = Edition(rows, equations_of({row.cell for row in rows}))
    return EarlierEdition(edition, published_on), publication_id


def _is_comparable(row: PublishedRow, tables: PublishedTables) -> bool:
    """Tell whether the candidate measures the same thing: another model's sentiments or themes are other numbers."""
    family = tables.families[row.cell.family]
    nets = {name for name, _, _ in family.nets}
    return row.measure in {*family.numerators, *family.scores, *nets}


def _record(
    connection: psycopg.Connection,
    found: Attack,
    reports_of: Mapping[str, set[str]],
    slot: str,
    run_id: str,
    publication_id: int | None,
) -> None:
    """Write the attack and what it recovered; the slot names its attack, so that a slot built anew has none."""
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
            publication_id,
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
                    sorted(reports_of[cell.family]),
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
