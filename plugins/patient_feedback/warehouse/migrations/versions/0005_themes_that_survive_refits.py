"""Themes of two levels whose slugs survive refits: lineage, drift, mentions, and decisions by people.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LEVELS = """
alter table analysis.theme
    add column theme_level text not null default 'theme' check (theme_level in ('theme', 'subtheme')),
    add column parent_theme_slug text references analysis.theme,
    add column follows_slug text references analysis.theme,
    add check ((theme_level = 'subtheme') = (parent_theme_slug is not null));
comment on column analysis.theme.parent_theme_slug is
    'The theme that the subtheme lies in, by the newest set that holds it.';
comment on column analysis.theme.follows_slug is
    'Theme that people had merged away and most of whose members a refit put here: what people decide on it holds here too.';

alter table analysis.theme_set
    add column subtheme_count integer not null default 0,
    add column centres bytea,
    add column criterion jsonb not null default '{}',
    add column sample_mean_similarity real,
    add column sample_unassigned_share real;
comment on column analysis.theme_set.centres is
    'All that an assignment needs, as safetensors: space, centres in the order of theme_position, threshold.';
comment on column analysis.theme_set.criterion is 'Why there are this many themes.';
comment on column analysis.theme_set.sample_mean_similarity is
    'Mean confidence of the fitted texts that name a subject: what drift is measured against.';

alter table analysis.theme_set_member
    add column theme_label text,
    add column theme_level text not null default 'theme' check (theme_level in ('theme', 'subtheme')),
    add column parent_theme_slug text references analysis.theme,
    add column theme_position integer,
    add check ((theme_level = 'subtheme') = (parent_theme_slug is not null));
comment on column analysis.theme_set_member.theme_label is
    'The label that this fit proposed; analysis.theme has the one in force.';
comment on column analysis.theme_set_member.theme_position is
    'Place among the set''s themes, or of a subtheme among those of its theme, in theme_set.centres; from 0.';

alter table analysis.theme_assignment
    add column subtheme_slug text,
    add column segmentation_version text;
comment on column analysis.theme_assignment.segmentation_version is
    'Rules that cut the segments which were read with the text; a text that other rules cut is read again.';
"""

TABLES = """
create table analysis.theme_mention (
    text_sha256 text not null,
    theme_set_id text not null references analysis.theme_set on delete cascade,
    theme_slug text not null,
    subtheme_slug text,
    theme_confidence real not null check (theme_confidence between 0 and 1),
    segment_indexes integer[] not null default '{}',
    primary key (text_sha256, theme_set_id, theme_slug)
);
create index on analysis.theme_mention (theme_set_id);
comment on table analysis.theme_mention is
    'One row per theme that a text speaks of: its nearest one, and those of its segments.';
comment on column analysis.theme_mention.segment_indexes is
    'The segments that speak of the theme; empty: the text as a whole.';

create table analysis.theme_lineage (
    theme_set_id text not null references analysis.theme_set on delete cascade,
    theme_level text not null check (theme_level in ('theme', 'subtheme')),
    previous_theme_slug text references analysis.theme,
    theme_slug text references analysis.theme,
    relation text not null check (relation in ('kept', 'split', 'merged', 'new', 'retired')),
    shared_member_share real check (shared_member_share between 0 and 1),
    similarity real,
    unique nulls not distinct (theme_set_id, previous_theme_slug, theme_slug)
);
comment on table analysis.theme_lineage is
    'What became of each theme of the set before, and where each theme of this set comes from.';
comment on column analysis.theme_lineage.shared_member_share is
    'Share of the previous theme''s texts, of those that both sets read, that lie in the theme now.';
comment on column analysis.theme_lineage.similarity is
    'Cosine of the two centres; null where the sets lie in different spaces.';

create table analysis.theme_drift (
    run_id text not null,
    theme_set_id text not null references analysis.theme_set on delete cascade,
    measured_at timestamptz not null default now(),
    assigned_count bigint not null,
    new_text_count bigint not null,
    population_growth_share real not null,
    unassigned_share real,
    new_unassigned_share real,
    baseline_unassigned_share real,
    mean_similarity real,
    new_mean_similarity real,
    baseline_mean_similarity real,
    new_dense_regions jsonb not null default '[]',
    is_refit_proposed boolean not null,
    reasons text[] not null default '{}',
    primary key (run_id, theme_set_id)
);
comment on table analysis.theme_drift is
    'How well the theme set in force still fits, measured at each run; new texts are those embedded since the fit.';
comment on column analysis.theme_drift.new_dense_regions is
    'Groups of new texts that lie together and far from every theme: size and hashes of typical texts.';
"""

DECISIONS = """
create table analysis.theme_decision (
    decision_id bigint generated always as identity primary key,
    theme_slug text not null references analysis.theme,
    decision text not null check (decision in ('approve', 'rename', 'merge', 'retire', 'undo')),
    theme_label text,
    merged_into_slug text references analysis.theme,
    decided_by text not null,
    decision_reason text not null,
    decided_at timestamptz not null default now()
);
comment on table analysis.theme_decision is
    'What people decided about themes, in order; insert-only. No refit changes what stands here.';
comment on column analysis.theme_decision.decision is
    'approve (under a label that stays), rename, merge (into merged_into_slug), retire, or undo all of these.';

-- Retired themes are those that people retired, and those of no set in force that nobody decided about.
create function analysis.settle_themes() returns void language sql as $$
    with recursive
    standing as (
        select decision.*
        from analysis.theme_decision as decision
        where
            decision.decision <> 'undo'
            and not exists (
                select from analysis.theme_decision as undone
                where
                    undone.theme_slug = decision.theme_slug
                    and undone.decision = 'undo'
                    and undone.decision_id > decision.decision_id
            )
    ),
    decided_state as (
        select distinct on (theme_slug) theme_slug, decision, merged_into_slug
        from standing
        where decision <> 'rename'
        order by theme_slug, decision_id desc
    ),
    decided_label as (
        select distinct on (theme_slug) theme_slug, theme_label
        from standing
        where theme_label is not null
        order by theme_slug, decision_id desc
    ),
    decided_merger as (
        select theme_slug, merged_into_slug from decided_state where decision = 'merge'
    ),
    reached as (
        select theme_slug, merged_into_slug as reached_slug from decided_merger
        union
        select reached.theme_slug, decided_merger.merged_into_slug
        from reached
        inner join decided_merger on reached.reached_slug = decided_merger.theme_slug
    ),
    merger as (
        select theme_slug, merged_into_slug from decided_merger
        union all
        select theme.theme_slug, theme.follows_slug as merged_into_slug
        from analysis.theme
        inner join decided_merger on theme.follows_slug = decided_merger.theme_slug
        where
            theme.theme_slug not in (select theme_slug from decided_state)
            -- People merged the followed theme into this one since: a circle would count as nothing.
            and not exists (
                select from reached
                where reached.theme_slug = theme.follows_slug and reached.reached_slug = theme.theme_slug
            )
    ),
    in_force as (
        select member.theme_slug
        from analysis.theme_set_member as member
        inner join analysis.theme_set on member.theme_set_id = theme_set.theme_set_id
        where theme_set.is_current
        union
        select merger.merged_into_slug
        from in_force
        inner join merger on in_force.theme_slug = merger.theme_slug
    ),
    newest_member as (
        select distinct on (member.theme_slug) member.theme_slug, member.theme_label, member.parent_theme_slug
        from analysis.theme_set_member as member
        inner join analysis.theme_set on member.theme_set_id = theme_set.theme_set_id
        order by member.theme_slug, theme_set.is_current desc, theme_set.fitted_at desc, theme_set.theme_set_id
    ),
    settled as (
        select
            theme.theme_slug,
            coalesce(decided_label.theme_label, newest_member.theme_label, theme.theme_label) as theme_label,
            coalesce(newest_member.parent_theme_slug, theme.parent_theme_slug) as parent_theme_slug,
            merger.merged_into_slug,
            case
                when merger.theme_slug is not null then 'merged'
                when decided_state.decision = 'approve' then 'approved'
                when decided_state.decision = 'retire' or in_force.theme_slug is null then 'retired'
                else 'proposed'
            end as theme_status
        from analysis.theme
        left join decided_state on theme.theme_slug = decided_state.theme_slug
        left join decided_label on theme.theme_slug = decided_label.theme_slug
        left join merger on theme.theme_slug = merger.theme_slug
        left join in_force on theme.theme_slug = in_force.theme_slug
        left join newest_member on theme.theme_slug = newest_member.theme_slug
    )
    update analysis.theme
    set
        theme_label = settled.theme_label,
        theme_status = settled.theme_status,
        merged_into_slug = settled.merged_into_slug,
        parent_theme_slug = settled.parent_theme_slug
    from settled
    where
        theme.theme_slug = settled.theme_slug
        and (theme.theme_label, theme.theme_status, theme.merged_into_slug, theme.parent_theme_slug)
        is distinct from
        (settled.theme_label, settled.theme_status, settled.merged_into_slug, settled.parent_theme_slug)
$$;
comment on function analysis.settle_themes() is
    'Gives every theme the status, label and merger that follow from the set in force and from people''s decisions.';

create function analysis.check_theme_decision() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
    subject analysis.theme;
    target analysis.theme;
    survivor text;
begin
    -- One decision at a time, and none while a fit writes: two at once could make a circle.
    perform pg_advisory_xact_lock(hashtext('theme_registry'));
    new.theme_label := nullif(trim(new.theme_label), '');
    select * into subject from analysis.theme where theme_slug = new.theme_slug;
    if not found then
        raise exception 'there is no theme "%": give a theme_slug of patient_experience.dim_themes', new.theme_slug;
    end if;
    if coalesce(trim(new.decided_by), '') = '' or coalesce(trim(new.decision_reason), '') = '' then
        raise exception 'a decision on a theme needs who and why: give decided_by and decision_reason';
    end if;
    if new.decision = 'rename' and new.theme_label is null then
        raise exception 'to rename "%" give its new name as theme_label', new.theme_slug;
    end if;
    if new.theme_label is not null and new.decision not in ('approve', 'rename') then
        raise exception '"%" goes without theme_label: approve or rename gives one', new.decision;
    end if;
    if (new.decision = 'merge') <> (new.merged_into_slug is not null) then
        raise exception 'merged_into_slug goes with merge, and merge with it: given % and %',
            new.decision, coalesce('"' || new.merged_into_slug || '"', 'none');
    end if;
    if new.decision = 'approve' then
        new.theme_label := coalesce(new.theme_label, subject.theme_label);
    elsif new.decision = 'undo' and not exists (
        select from analysis.theme_decision where theme_slug = new.theme_slug
    ) then
        raise exception 'nothing was decided about "%" that could be undone', new.theme_slug;
    elsif new.decision = 'merge' then
        select * into target from analysis.theme where theme_slug = new.merged_into_slug;
        if not found then
            raise exception 'there is no theme "%" to merge into: give a theme_slug of patient_experience.dim_themes',
                new.merged_into_slug;
        end if;
        survivor := new.merged_into_slug;
        while survivor <> new.theme_slug and exists (
            select from analysis.theme where theme_slug = survivor and merged_into_slug is not null
        ) loop
            select merged_into_slug into survivor from analysis.theme where theme_slug = survivor;
        end loop;
        if survivor = new.theme_slug then
            raise exception '"%" merged into "%" would make a circle: %', new.theme_slug, new.merged_into_slug,
                case
                    when new.theme_slug = new.merged_into_slug then 'name another theme'
                    else format('"%s" already counts as "%s"; undo that first', new.merged_into_slug, new.theme_slug)
                end;
        elsif survivor <> new.merged_into_slug then
            raise exception '"%" is itself merged and counts as "%": merge "%" into "%"',
                new.merged_into_slug, survivor, new.theme_slug, survivor;
        elsif exists (
            select from (
                select decision from analysis.theme_decision
                where theme_slug = new.merged_into_slug and decision <> 'rename'
                order by decision_id desc
                limit 1
            ) as newest
            where newest.decision = 'retire'
        ) then
            raise exception '"%" was retired by people: undo that first, or merge "%" into another theme',
                new.merged_into_slug, new.theme_slug;
        elsif (subject.theme_level, subject.parent_theme_slug)
            is distinct from (target.theme_level, target.parent_theme_slug) then
            raise exception
                '"%" is a % and "%" a %: merge a theme into a theme, a subtheme into one of the same theme',
                new.theme_slug,
                subject.theme_level || coalesce(format(' of "%s"', subject.parent_theme_slug), ''),
                new.merged_into_slug,
                target.theme_level || coalesce(format(' of "%s"', target.parent_theme_slug), '');
        end if;
    end if;
    return new;
end $$;

create function analysis.carry_out_theme_decision() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform analysis.settle_themes();
    -- Names alone: the reason is free text and stays in analysis.theme_decision.
    insert into audit.ledger (action, subject, actor, row_count, details)
    values (
        'theme_decided',
        new.theme_slug,
        new.decided_by,
        1,
        jsonb_strip_nulls(jsonb_build_object(
            'decision', new.decision, 'theme_label', new.theme_label, 'merged_into_slug', new.merged_into_slug,
            'role', session_user
        ))
    );
    return null;
end $$;

create function analysis.refuse_change_of_decision() returns trigger language plpgsql as $$
begin
    raise exception 'analysis.theme_decision is insert-only: insert the decision "undo", or another one, instead';
end $$;

-- What was decided before decisions were kept.
insert into analysis.theme_decision (theme_slug, decision, theme_label, merged_into_slug, decided_by, decision_reason)
select
    theme_slug,
    case theme_status when 'approved' then 'approve' else 'merge' end,
    case theme_status when 'approved' then theme_label end,
    merged_into_slug,
    'not recorded',
    'decided before decisions were kept'
from analysis.theme
where theme_status = 'approved' or (theme_status = 'merged' and merged_into_slug is not null)
order by theme_slug;

create trigger check_theme_decision before insert on analysis.theme_decision
for each row execute function analysis.check_theme_decision();
create trigger carry_out_theme_decision after insert on analysis.theme_decision
for each row execute function analysis.carry_out_theme_decision();
create trigger refuse_change before update or delete or truncate on analysis.theme_decision
for each statement execute function analysis.refuse_change_of_decision();
"""

GRANTS = """
revoke execute on function analysis.settle_themes() from public;
grant select on analysis.theme_mention, analysis.theme_lineage, analysis.theme_drift, analysis.theme_decision
    to engineer;
grant usage on schema analysis to analyst;
grant insert (theme_slug, decision, theme_label, merged_into_slug, decided_by, decision_reason)
    on analysis.theme_decision to analyst, engineer;
"""

DOWNGRADE = """
drop table analysis.theme_decision, analysis.theme_drift, analysis.theme_lineage, analysis.theme_mention;
drop function analysis.settle_themes(), analysis.check_theme_decision(), analysis.carry_out_theme_decision(),
    analysis.refuse_change_of_decision();
revoke usage on schema analysis from analyst;
alter table analysis.theme_assignment drop column subtheme_slug, drop column segmentation_version;
delete from analysis.theme_set_member where theme_level = 'subtheme';
alter table analysis.theme_set_member drop column theme_label, drop column theme_level,
    drop column parent_theme_slug, drop column theme_position;
alter table analysis.theme_set drop column subtheme_count, drop column centres, drop column criterion,
    drop column sample_mean_similarity, drop column sample_unassigned_share;
alter table analysis.theme drop column follows_slug;
delete from analysis.theme where theme_level = 'subtheme';
alter table analysis.theme drop column theme_level, drop column parent_theme_slug;
"""


def upgrade() -> None:
    for statements in (LEVELS, TABLES, DECISIONS, GRANTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(DOWNGRADE)
