"""Cursors of sources that are asked for their records, what was landed of each record last, counts of the source.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UPGRADE = """
create table landing.source_cursor (
    source_slug text primary key,
    position jsonb not null,
    moved_at timestamptz not null default now(),
    run_id text not null
);
comment on table landing.source_cursor is
    'Where the next run of a source begins, in the source''s own terms; moved in the transaction of the data.';

create table landing.extracted_record (
    source_slug text not null,
    record_key text not null,
    content_sha256 text not null,
    is_withdrawn boolean not null,
    primary key (source_slug, record_key)
);
comment on table landing.extracted_record is
    'What was landed last of each record of a source that is asked: windows overlap, and only a change is landed.';

-- A withdrawn record is sought in every delivery that brought it.
create index candidate_record_by_ref on landing.candidate_record (source_slug, source_record_ref);

alter table landing.delivery
    add column source_count bigint,
    add column extracted_count bigint;
comment on column landing.delivery.source_count is
    'Records that the source itself counts in what it was asked for; null where it cannot count.';
comment on column landing.delivery.extracted_count is
    'Records that it gave, those included that were landed before; null where it cannot count.';

grant select on landing.source_cursor to engineer;
"""

DOWNGRADE = """
drop index landing.candidate_record_by_ref;
alter table landing.delivery drop column source_count, drop column extracted_count;
drop table landing.extracted_record;
drop table landing.source_cursor;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
