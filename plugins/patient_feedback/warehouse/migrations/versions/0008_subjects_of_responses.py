"""What a response is about: one subject or several, as each of its records names them.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UPGRADE = """
create table landing.candidate_subject (
    delivery_id text not null,
    record_number integer not null,
    response_id text,
    subject_slug text not null,
    subject_label text not null,
    primary key (delivery_id, record_number, subject_slug)
);
comment on table landing.candidate_subject is 'One row per subject that a delivered record names.';

create table feedback.response_subject (
    response_id text not null references feedback.response on delete cascade,
    source_slug text not null,
    source_record_ref text not null,
    subject_slug text not null,
    subject_label text not null,
    delivery_id text not null,
    record_number integer not null,
    primary key (response_id, source_record_ref, subject_slug)
);
-- An edited record is sought by its reference, in whatever response it was.
create index response_subject_by_ref on feedback.response_subject (source_slug, source_record_ref);
comment on table feedback.response_subject is
    'One row per accepted record and subject that it names; several records of a response may name the same one.';

-- A label may be delivered text: as of comments, an engineer sees what a row is and not what it says.
grant select (response_id, source_slug, subject_slug, delivery_id, record_number)
    on feedback.response_subject to engineer;
"""

DOWNGRADE = """
drop table feedback.response_subject;
drop table landing.candidate_subject;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
