"""What each file name of a source held when it was last read: content that is put back is a delivery again.

Files that still lie in their places are read once more by the next run: a time and a size alone are no proof.

Revision ID: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UPGRADE = r"""
create table landing.seen_file (
    source_slug text not null,
    file_name text not null,
    file_sha256 text not null,
    file_version text not null,
    delivery_id text not null references landing.delivery on delete cascade,
    read_at timestamptz not null,
    primary key (source_slug, file_name)
);
create index on landing.seen_file (delivery_id);
comment on table landing.seen_file is
    'The content that a file name of a source had when it was last read, and the delivery that brought this content.';
comment on column landing.seen_file.file_version is
    'What the place said of the file: the ETag of an object store, else size and times. Empty: to be read again.';

-- Of sources that are asked, a piece bears a name of its own and is nobody's file.
insert into landing.seen_file (source_slug, file_name, file_sha256, file_version, delivery_id, read_at)
select distinct on (source_slug, file_name) source_slug, file_name, file_sha256, '', delivery_id, landed_at
from landing.delivery
where file_name !~ ('^' || source_slug || '_\d{8}T\d{12}Z_\d{4,}\.jsonl$')
order by source_slug, file_name, landed_at desc, file_modified_at desc;

alter table landing.delivery drop constraint delivery_source_slug_file_sha256_key;
create index on landing.delivery (source_slug, file_sha256);
create index on landing.delivery (source_slug, file_name);
comment on table landing.delivery is
    'One row per content (by SHA-256) that a source delivered, and one more each time that it was put back.';
comment on column landing.delivery.file_modified_at is
    'When the file was written, as its place says; where that is no later than the content it replaced, just after it.';

grant select on landing.seen_file to engineer;
"""

DOWNGRADE = """
drop index landing.delivery_source_slug_file_name_idx;
drop index landing.delivery_source_slug_file_sha256_idx;
-- Refused where content was put back: its deliveries cannot be told apart without what this migration made.
alter table landing.delivery add constraint delivery_source_slug_file_sha256_key unique (source_slug, file_sha256);
comment on table landing.delivery is 'One row per distinct file (by SHA-256) that a source delivered.';
comment on column landing.delivery.file_modified_at is null;
drop table landing.seen_file;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
