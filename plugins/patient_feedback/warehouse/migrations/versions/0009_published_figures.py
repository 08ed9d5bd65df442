"""Figures that others published about an organisation and a period: such records are nobody's response.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FIGURE_COLUMNS = """
    organisation_slug text,
    organisation_name text,
    site_slug text,
    site_name text,
    service_slug text,
    service_name text,
    is_total boolean not null,
    period_first_on date,
    period_last_on date,
    value_number double precision,
    unit text,
    figure_state text not null check (figure_state in ('published', 'suppressed', 'not_applicable', 'not_available')),
    respondent_count bigint,
    respondent_band text,
    source_metadata jsonb not null default '{}',
    delivery_id text not null,
    record_number integer not null,
"""

UPGRADE = f"""
create table landing.candidate_figure (
    measure_slug text not null,
    figure_id text,
    is_documented boolean not null,
    {FIGURE_COLUMNS}
    primary key (delivery_id, record_number, measure_slug)
);
comment on table landing.candidate_figure is 'One row per number of a delivered record of published figures.';

create table feedback.published_figure (
    figure_id text primary key,
    source_slug text not null,
    source_record_ref text not null,
    measure_slug text not null,
    is_value_set_aside boolean not null,
    {FIGURE_COLUMNS}
    foreign key (delivery_id) references landing.delivery
);
create index published_figure_by_ref on feedback.published_figure (source_slug, source_record_ref);
create index published_figure_by_record on feedback.published_figure (delivery_id, record_number);
comment on table feedback.published_figure is
    'One row per published number: its measure, organisation and period, and why it is missing where it is.';
comment on column feedback.published_figure.is_total is
    'The sum of other figures of the same table: never add it up with them.';
comment on column feedback.published_figure.respondent_band is
    'What was published in place of the number of respondents, such as FEWER THAN 50.';

alter table feedback.record alter column response_id drop not null;
comment on column feedback.record.response_id is 'Null for a record of published figures.';

grant select on feedback.published_figure to engineer;
"""

DOWNGRADE = """
drop table feedback.published_figure;
drop table landing.candidate_figure;
delete from feedback.record where response_id is null;
alter table feedback.record alter column response_id set not null;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
