"""Suppression overrides: cells that the attack on candidate marts withholds or keeps published, and why.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UPGRADE = """
create table audit.suppression_override (
    override_id bigint generated always as identity primary key,
    attack_id text not null references audit.disclosure_attack,
    run_id text not null,
    decision text not null check (decision in ('withheld', 'kept')),
    override_state text not null default 'in_force' check (override_state in ('in_force', 'discarded')),
    decided_at timestamptz not null default now(),
    score_slug text not null,
    score_version text not null,
    period_kind text not null,
    period_first_on date,
    organisation_slug text not null,
    part_kind text not null,
    part_slug text not null,
    reason text not null
);
comment on table audit.suppression_override is
    'One row per attack and cell that is suppressed, or shown, against the rule. Says where and why, never a number.';
comment on column audit.suppression_override.decision is
    'withheld: hidden so that another cell cannot be worked out; kept: shown, the edition before shows the same number.';
comment on column audit.suppression_override.override_state is
    'discarded: the candidate that it was made for was not published, the next one is judged anew.';

grant select on audit.suppression_override to engineer;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop table audit.suppression_override")
