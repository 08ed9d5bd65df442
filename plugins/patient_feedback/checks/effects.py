"""Carries out what the landing gate decided: set aside the smallest thing that is wrong, and go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter

import psycopg
from psycopg import sql

from patient_feedback.checks.outcomes import CheckOutcome, require_decided
from patient_feedback.checks.suites import Effect
from patient_feedback.errors import GateError

LEVELS = {
    Effect.STOP_DELIVERY: "delivery",
    Effect.SET_ASIDE_RECORD: "record",
    Effect.SET_ASIDE_VALUE: "value",
}


@dataclass(frozen=True, slots=True)
class EffectCounts:
    """What is in force after the gate; released and waived rows are counted apart."""

    is_refused: bool
    set_aside_record_count: int
    """Records kept back by a check of their own; with `is_refused`, all of them are."""
    set_aside_value_count: int
    released_or_waived_count: int


def apply_landing_effects(
    connection: psycopg.Connection, delivery_id: str, outcomes: Iterable[CheckOutcome], run_id: str
) -> EffectCounts:
    """Write what the failed checks set aside to landing.set_aside, and the states that follow from it.

    Set aside is every row that a check found, not only those of a check that failed as a whole. Running it
    again replaces the rows that nobody has decided on; a released or waived row stays, and what it names is
    not set aside. Records that were accepted before keep their state until the delivery is accepted anew.
    Raises GateError, and changes nothing, where a check with an effect could not be evaluated.
    """
    outcomes = tuple(outcomes)
    require_decided(outcomes, f"delivery {delivery_id}")
    with connection.transaction():
        locked = connection.execute(
            "select delivery_state from landing.delivery where delivery_id = %s for update", (delivery_id,)
        ).fetchone()
        if locked is None:
            raise GateError(f"There is no delivery {delivery_id}: land it before its gate.")
        _collect(connection, delivery_id, outcomes)
        _replace_undecided(connection, delivery_id, run_id)
        is_refused = _decide_delivery(connection, delivery_id)
        _decide_records(connection, delivery_id, is_refused)
        return _count(connection, delivery_id, is_refused)


def _collect(connection: psycopg.Connection, delivery_id: str, outcomes: tuple[CheckOutcome, ...]) -> None:
    """Gather in the temporary table `found` what the checks of this run set aside."""
    connection.execute("drop table if exists pg_temp.found")
    connection.execute(
        """
        create temporary table found (
            record_number integer, set_aside_level text, check_id text, field_name text, reason text
        ) on commit drop
        """
    )
    for outcome in outcomes:
        level = LEVELS.get(Effect(outcome.effect))
        if level == "delivery" and outcome.outcome == "failed":
            connection.execute(
                "insert into found values (null, 'delivery', %s, null, %s)", (outcome.check_id, outcome.title)
            )
        elif level in ("record", "value") and outcome.unexpected_count and outcome.unexpected_rows_sql:
            connection.execute(
                sql.SQL(
                    "insert into found select record_number, {}, {}, {}, {} from ({}) as found_rows "
                    "where delivery_id = {}"
                ).format(
                    sql.Literal(level),
                    sql.Literal(outcome.check_id),
                    _field_name(outcome.field) if level == "value" else sql.SQL("null"),
                    sql.Literal(outcome.title),
                    sql.SQL(outcome.unexpected_rows_sql),  # the suite's own query
                    sql.Literal(delivery_id),
                )
            )


def _field_name(template: str | None) -> sql.Composable:
    """Return the SQL that fills `answer.{instrument_slug}.{item_slug}` from the keys of a row."""
    parts: list[sql.Composable] = []
    for text, key, _, _ in Formatter().parse(template or ""):
        parts.append(sql.Literal(text))
        if key:
            parts.append(sql.Identifier(key))
    return sql.SQL("concat({})").format(sql.SQL(", ").join(parts))


def _replace_undecided(connection: psycopg.Connection, delivery_id: str, run_id: str) -> None:
    """Make landing.set_aside say what `found` says; rows that say it already keep their time and run."""
    connection.execute("alter table found add column set_aside_id text")
    # The same id as contract.stable_id of these parts, with an absent part as the empty text.
    connection.execute(
        """
        update found set set_aside_id = left(encode(sha256(convert_to(array_to_string(
            array[%s, record_number::text, set_aside_level, check_id, field_name], chr(31), ''
        ), 'UTF8')), 'hex'), 32)
        """,
        (delivery_id,),
    )
    connection.execute(
        """
        delete from landing.set_aside
        where delivery_id = %s
            and set_aside_state = 'set_aside'
            and not exists (select from found where found.set_aside_id = set_aside.set_aside_id)
        """,
        (delivery_id,),
    )
    connection.execute(
        """
        insert into landing.set_aside (
            set_aside_id, delivery_id, record_number, set_aside_level, check_id, field_name, reason, run_id
        )
        select distinct on (set_aside_id)
            set_aside_id, %s, record_number, set_aside_level, check_id, field_name, reason, %s
        from found
        on conflict (set_aside_id) do nothing
        """,
        (delivery_id, run_id),
    )


def _decide_delivery(connection: psycopg.Connection, delivery_id: str) -> bool:
    """Refuse the delivery where a check that stops it is in force; take a refusal back where none is."""
    row = connection.execute(
        """
        select string_agg(check_id || ' ' || reason, '; ' order by check_id)
        from landing.set_aside
        where delivery_id = %s and set_aside_level = 'delivery' and set_aside_state = 'set_aside'
        """,
        (delivery_id,),
    ).fetchone()
    refusal = row[0] if row else None
    if refusal is not None:
        # A reader's own reason says more than the name of the check that found it.
        connection.execute(
            """
            update landing.delivery
            set delivery_state = 'refused',
                decided_at = coalesce(case when delivery_state = 'refused' then decided_at end, now()),
                refusal_reason = case
                    when refusal_reason is null or starts_with(refusal_reason, 'FB-LND-') then %s
                    else refusal_reason
                end
            where delivery_id = %s
            """,
            (refusal, delivery_id),
        )
    else:
        connection.execute(
            """
            update landing.delivery set delivery_state = 'landed', refusal_reason = null, decided_at = null
            where delivery_id = %s and delivery_state = 'refused'
            """,
            (delivery_id,),
        )
    return refusal is not None


def _decide_records(connection: psycopg.Connection, delivery_id: str, is_refused: bool) -> None:
    connection.execute(
        """
        with judged as (
            select
                record.record_number,
                %(is_refused)s or exists (
                    select from landing.set_aside
                    where set_aside.delivery_id = record.delivery_id
                        and set_aside.record_number = record.record_number
                        and set_aside.set_aside_level = 'record'
                        and set_aside.set_aside_state = 'set_aside'
                ) as is_set_aside
            from landing.record
            where record.delivery_id = %(delivery_id)s
                and record.record_state in ('pending', 'set_aside')
        )

        update landing.record
        set record_state = case when judged.is_set_aside then 'set_aside' else 'pending' end
        from judged
        where record.delivery_id = %(delivery_id)s
            and record.record_number = judged.record_number
            and (record.record_state = 'set_aside') <> judged.is_set_aside
        """,
        {"delivery_id": delivery_id, "is_refused": is_refused},
    )


def _count(connection: psycopg.Connection, delivery_id: str, is_refused: bool) -> EffectCounts:
    row = connection.execute(
        """
        select
            count(distinct record_number) filter (
                where set_aside_level = 'record' and set_aside_state = 'set_aside'
            ),
            count(distinct (record_number, field_name)) filter (
                where set_aside_level = 'value' and set_aside_state = 'set_aside'
            ),
            count(*) filter (where set_aside_state <> 'set_aside')
        from landing.set_aside
        where delivery_id = %s
        """,
        (delivery_id,),
    ).fetchone()
    assert row is not None
    return EffectCounts(is_refused, *row)
