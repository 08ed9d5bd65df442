"""Which responses and texts changed since marts were built, and what each slot was built from.

A change is stamped with its transaction: whatever a build's snapshot did not see, the next one reads.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OF_RESPONSES = ("feedback.response", "feedback.answer", "feedback.comment", "feedback.response_subject")
OF_TEXTS = (
    "analysis.text_language",
    "analysis.embedding",
    "analysis.sentiment",
    "analysis.segment_sentiment",
    "analysis.topic_reading",
    "analysis.topic_mention",
    "analysis.theme_assignment",
    "analysis.theme_mention",
)

UPGRADE = """
create table feedback.response_change (
    response_id text primary key,
    changed_in xid8 not null
);
create index on feedback.response_change (changed_in);
comment on table feedback.response_change is
    'The last transaction that changed a response, its answers, comments or subjects; kept when the response goes.';

create table analysis.text_change (
    text_sha256 text primary key,
    changed_in xid8 not null
);
create index on analysis.text_change (changed_in);
comment on table analysis.text_change is 'The last transaction that changed what models read in a text.';

create index on feedback.response (respondent_id) where respondent_id is not null;

create table audit.marts_build (
    marts_slot text primary key,
    built_from text not null,
    seen pg_snapshot not null
);
comment on table audit.marts_build is
    'One row per slot that was published since it was last built: what the next build in it may go on from.';
comment on column audit.marts_build.built_from is
    'Hash of the models, the versions and whatever else would change rows of which no response or text changed.';
comment on column audit.marts_build.seen is 'Transactions that the build could see; later ones are read by the next.';
"""

# In the order of the keys, so that two transactions never wait for each other.
NOTED_CHANGES = """
create function {schema}.note_{subject}_changes() returns trigger language plpgsql as $$
begin
    insert into {schema}.{subject}_change ({key}, changed_in)
    select distinct {key}, pg_current_xact_id() from changed order by {key}
    on conflict ({key}) do update set changed_in = excluded.changed_in
    where {subject}_change.changed_in <> excluded.changed_in;
    return null;
end $$;
"""

DOWNGRADE = """
drop function feedback.note_response_changes() cascade;
drop function analysis.note_text_changes() cascade;
drop table audit.marts_build;
drop table analysis.text_change;
drop table feedback.response_change;
drop index feedback.response_respondent_id_idx;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    op.execute(NOTED_CHANGES.format(schema="feedback", subject="response", key="response_id"))
    op.execute(NOTED_CHANGES.format(schema="analysis", subject="text", key="text_sha256"))
    noted = [(table, "feedback.note_response_changes") for table in OF_RESPONSES]
    noted += [(table, "analysis.note_text_changes") for table in OF_TEXTS]
    for table, function in noted:
        for event, rows in (("insert", "new"), ("update", "new"), ("delete", "old")):
            op.execute(
                f"create trigger note_{event} after {event} on {table} "
                f"referencing {rows} table as changed for each statement execute function {function}()"
            )


def downgrade() -> None:
    op.execute(DOWNGRADE)
