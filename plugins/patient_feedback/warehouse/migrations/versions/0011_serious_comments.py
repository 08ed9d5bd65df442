"""Serious comments: what a detector read, the entries of the worklist, and what people decided about them.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

READINGS = """
create table analysis.serious_reading (
    text_sha256 text not null,
    detector_version text not null,
    language_code text,
    reading_basis text not null check (reading_basis in ('phrases', 'phrases_and_nearness')),
    category_count integer not null check (category_count >= 0),
    read_at timestamptz not null default now(),
    primary key (text_sha256, detector_version)
);
comment on table analysis.serious_reading is
    'One row per text and detector: that the text was read for what is serious. A text without a row was not read.';
comment on column analysis.serious_reading.reading_basis is
    'phrases: by written patterns alone, the text has no vector; phrases_and_nearness: by its vector too.';

create table analysis.serious_mention (
    text_sha256 text not null,
    detector_version text not null,
    category text not null check (category in ('safeguarding', 'harm', 'self_harm', 'discrimination')),
    basis text not null,
    primary key (text_sha256, detector_version, category),
    foreign key (text_sha256, detector_version) references analysis.serious_reading on delete cascade
);
comment on table analysis.serious_mention is 'One row per text, detector and category of what is serious in it.';
comment on column analysis.serious_mention.basis is
    'Slugs of the patterns that were found, or nearness: never words of the text.';
"""

# The one home of the id: the marts list it and a decision is checked against it. A changed text is a new entry.
ENTRIES = """
create view analysis.serious_entry as
select
    encode(sha256(convert_to(concat_ws('|', 'comment', comment_id, text_sha256, mention.category), 'UTF8')), 'hex')
        as entry_id,
    comment.comment_id,
    comment.response_id,
    mention.category,
    mention.basis,
    mention.detector_version
from feedback.comment
inner join analysis.serious_mention as mention using (text_sha256)
inner join feedback.response on comment.response_id = response.response_id
where comment.comment_state = 'text' and not response.is_withdrawn
union all
select distinct
    encode(sha256(convert_to(concat_ws('|', 'phq_9_item_9', answer.response_id, answer.value_number), 'UTF8')), 'hex'),
    null,
    answer.response_id,
    'self_harm',
    'phq_9_item_9',
    'phq_9_item_9-1'
from feedback.answer
inner join feedback.response on answer.response_id = response.response_id
where
    answer.instrument_slug = 'phq_9'
    and answer.item_slug = 'item_9'
    and answer.value_number > 0
    and not response.is_withdrawn;
comment on view analysis.serious_entry is
    'One row per entry of the worklist and detector that raised it: a comment and category, or an answer above 0 to '
    'item 9 of the PHQ-9 (thoughts of being better off dead or of hurting oneself).';
"""

DECISIONS = """
create table analysis.serious_decision (
    decision_id bigint generated always as identity primary key,
    entry_id text not null,
    decision text not null check (decision in ('acknowledge', 'close', 'reopen')),
    decided_by text not null,
    decision_reason text,
    decided_at timestamptz not null default now()
);
create index on analysis.serious_decision (entry_id, decision_id);
comment on table analysis.serious_decision is
    'Who took on, closed or reopened an entry of the worklist of serious comments, in order; insert-only.';
comment on column analysis.serious_decision.decision_reason is
    'What was done or found; no names of patients: it stays when a comment is withdrawn.';

create function analysis.check_serious_decision() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
    newest text;
begin
    -- One decision at a time: two at once could both find the entry open.
    perform pg_advisory_xact_lock(hashtext('serious_decision'));
    new.entry_id := trim(new.entry_id);
    new.decided_by := trim(new.decided_by);
    new.decision_reason := nullif(trim(new.decision_reason), '');
    -- A time that somebody gave could stand before the decision that it follows.
    new.decided_at := now();
    if not exists (select from analysis.serious_entry where entry_id = new.entry_id) then
        raise exception 'there is no entry "%": give an entry_id of patient_experience.fct_serious_comments', new.entry_id;
    end if;
    if coalesce(new.decided_by, '') = '' then
        raise exception 'a decision on a serious comment needs who: give decided_by';
    end if;
    if new.decision in ('close', 'reopen') and new.decision_reason is null then
        raise exception 'to % an entry say why: give decision_reason', new.decision;
    end if;
    select decision into newest from analysis.serious_decision
    where entry_id = new.entry_id
    order by decision_id desc
    limit 1;
    if newest = 'close' and new.decision in ('acknowledge', 'close') then
        raise exception 'the entry is closed: insert the decision "reopen" first';
    elsif new.decision = 'reopen' and coalesce(newest, 'reopen') = 'reopen' then
        raise exception 'the entry is open: acknowledge or close it';
    end if;
    return new;
end $$;

create function analysis.note_serious_decision() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Names alone: the reason is free text and stays in analysis.serious_decision.
    insert into audit.ledger (action, subject, actor, row_count, details)
    values (
        'serious_decided', new.entry_id, new.decided_by, 1,
        jsonb_build_object('decision', new.decision, 'role', session_user)
    );
    return null;
end $$;

create function analysis.refuse_change_of_serious_decision() returns trigger language plpgsql as $$
begin
    raise exception 'analysis.serious_decision is insert-only: insert another decision instead';
end $$;

create trigger check_serious_decision before insert on analysis.serious_decision
for each row execute function analysis.check_serious_decision();
create trigger note_serious_decision after insert on analysis.serious_decision
for each row execute function analysis.note_serious_decision();
create trigger refuse_change before update or delete or truncate on analysis.serious_decision
for each statement execute function analysis.refuse_change_of_serious_decision();
"""

GRANTS = """
grant select on analysis.serious_reading, analysis.serious_mention, analysis.serious_entry, analysis.serious_decision
    to engineer;
grant insert (entry_id, decision, decided_by, decision_reason) on analysis.serious_decision to analyst, engineer;
"""

DOWNGRADE = """
drop table analysis.serious_decision;
drop function analysis.check_serious_decision(), analysis.note_serious_decision(),
    analysis.refuse_change_of_serious_decision();
drop view analysis.serious_entry;
drop table analysis.serious_mention, analysis.serious_reading;
"""


def upgrade() -> None:
    for statements in (READINGS, ENTRIES, DECISIONS, GRANTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(DOWNGRADE)
