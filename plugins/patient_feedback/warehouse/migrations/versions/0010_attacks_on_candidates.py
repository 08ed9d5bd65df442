"""Attacks on candidate marts: that each was attacked, and which suppressed cells a reader could work out.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UPGRADE = """
create table audit.disclosure_attack (
    attack_id text primary key,
    run_id text not null,
    marts_slot text not null check (marts_slot in ('marts_blue', 'marts_green')),
    attacked_at timestamptz not null default now(),
    earlier_publication_id bigint references audit.publication,
    cell_count bigint not null,
    suppressed_cell_count bigint not null,
    undecided_cell_count bigint not null,
    recovered_count bigint not null
);
comment on table audit.disclosure_attack is 'One row per attack on candidate marts, before they are published.';
comment on column audit.disclosure_attack.earlier_publication_id is
    'The publication whose tables the attacker had too; null where there was none.';
comment on column audit.disclosure_attack.undecided_cell_count is
    'Suppressed cells on which the solver ran out of time, or whose published sums contradict one another.';

create table audit.recovered_cell (
    recovered_cell_id bigint generated always as identity primary key,
    attack_id text not null references audit.disclosure_attack,
    reports text[] not null,
    family_slug text not null,
    quantity text not null,
    recovery text not null check (recovery in ('exact', 'interval', 'group_below_minimum', 'absence')),
    edition text not null check (edition in ('this_edition', 'earlier_edition')),
    period_kind text not null,
    period_first_on date,
    organisation_slug text not null,
    service_slug text not null,
    stratum_attribute text not null,
    stratum text not null
);
create index on audit.recovered_cell (attack_id);
comment on table audit.recovered_cell is
    'One row per suppressed number that can be worked out. Says where it stands, never what it is.';
comment on column audit.recovered_cell.quantity is
    'responses, denominator, rest, or the measure whose numerator or sum of scores it is.';
comment on column audit.recovered_cell.edition is
    'earlier_edition: only together with what was published before.';

grant select on audit.disclosure_attack, audit.recovered_cell to engineer;
"""

DOWNGRADE = """
drop table audit.recovered_cell;
drop table audit.disclosure_attack;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
