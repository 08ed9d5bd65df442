"""Releasing and waiving: no decision without a person and a reason, and each one in the ledger.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DECISIONS = """
create function landing.note_decision() returns trigger language plpgsql as $$
begin
    if new.set_aside_state <> 'set_aside' and (
        coalesce(trim(new.decided_by), '') = '' or coalesce(trim(new.decision_reason), '') = ''
    ) then
        raise exception 'a decision on what was set aside needs who and why: give decided_by and decision_reason';
    end if;
    if new.set_aside_state <> 'set_aside' then
        new.decided_at := coalesce(new.decided_at, now());
    end if;
    -- Names alone: the reason is free text and stays in landing.set_aside.
    insert into audit.ledger (action, subject, actor, row_count, details)
    values (
        case new.set_aside_state when 'set_aside' then 'set_aside_again' else 'set_aside_' || new.set_aside_state end,
        new.set_aside_id,
        coalesce(new.decided_by, old.decided_by, current_user),
        1,
        jsonb_build_object('delivery_id', new.delivery_id, 'check_id', new.check_id)
    );
    return new;
end $$;
create trigger note_decision before update of set_aside_state on landing.set_aside
for each row when (old.set_aside_state <> new.set_aside_state)
execute function landing.note_decision();
"""


def upgrade() -> None:
    op.execute(DECISIONS)


def downgrade() -> None:
    op.execute("drop trigger note_decision on landing.set_aside")
    op.execute("drop function landing.note_decision()")
