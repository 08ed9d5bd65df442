"""Operational schemas: landing, feedback, restricted, analysis, audit.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("landing", "feedback", "restricted", "analysis", "audit")

LANDING = """
create table landing.delivery (
    delivery_id text primary key,
    source_slug text not null,
    file_name text not null,
    file_sha256 text not null,
    file_size_bytes bigint not null,
    file_modified_at timestamptz not null,
    landing_url text not null,
    declaration_sha256 text not null,
    encoding text,
    is_declared_encoding boolean,
    column_names text[] not null default '{}',
    missing_columns text[] not null default '{}',
    unknown_columns text[] not null default '{}',
    received_count integer,
    delivery_state text not null check (delivery_state in ('landed', 'accepted', 'refused')),
    refusal_reason text,
    landed_at timestamptz not null default now(),
    decided_at timestamptz,
    last_seen_at timestamptz not null default now(),
    unique (source_slug, file_sha256)
);
comment on table landing.delivery is 'One row per distinct file (by SHA-256) that a source delivered.';

create table landing.record (
    delivery_id text not null references landing.delivery,
    record_number integer not null,
    payload jsonb not null,
    defects text[] not null default '{}',
    record_state text not null default 'pending'
        check (record_state in ('pending', 'accepted', 'set_aside', 'duplicate', 'withdrawn')),
    primary key (delivery_id, record_number)
);
comment on table landing.record is
    'One row per record as delivered; payload is the source''s own fields. Restricted: original text.';
comment on column landing.record.defects is
    'What the reader had to mend to store the record: nul_byte, too_many_columns, too_few_columns, unreadable_line.';

create table landing.candidate_record (
    delivery_id text not null,
    record_number integer not null,
    source_slug text not null,
    source_record_ref text,
    response_id text,
    content_sha256 text not null,
    record_version integer,
    is_withdrawn boolean not null default false,
    defects text[] not null default '{}',
    is_repeated_in_delivery boolean not null default false,
    is_conflicting_in_delivery boolean not null default false,
    is_already_accepted boolean not null default false,
    is_older_than_accepted boolean not null default false,
    has_question_spelling_variant boolean not null default false,
    primary key (delivery_id, record_number)
);
comment on table landing.candidate_record is
    'One row per record: its identity, what sets it apart from the others of the delivery and from those accepted.';

create table landing.candidate_response (
    delivery_id text not null,
    record_number integer not null,
    response_id text,
    response_ref text,
    respondent_id text,
    organisation_slug text,
    organisation_name text,
    site_slug text,
    site_name text,
    service_slug text,
    service_name text,
    channel_slug text,
    submitted_text text,
    submitted_on date,
    submitted_at timestamptz,
    submitted_on_basis text not null,
    submitted_on_note text,
    is_submitted_on_conflicting boolean not null default false,
    is_submitted_on_doubtful boolean not null default false,
    is_response_inconsistent boolean not null default false,
    has_untidy_space boolean not null default false,
    has_formula_error boolean not null default false,
    unmapped_fields text[] not null default '{}',
    language_code text,
    age_band text,
    sex text,
    ethnic_group text,
    deprivation_quintile integer,
    preferred_language text,
    has_disability boolean,
    source_metadata jsonb not null default '{}',
    primary key (delivery_id, record_number)
);
comment on table landing.candidate_response is
    'What each record says about its response, typed by the declaration; several records may share a response.';
comment on column landing.candidate_response.is_submitted_on_conflicting is
    'The records of this response bear dates that differ by day and month swapped.';
comment on column landing.candidate_response.is_submitted_on_doubtful is
    'The date lies far from its neighbours in the source''s own sequence, its swapped reading near them.';
comment on column landing.candidate_response.unmapped_fields is
    'Attributes whose delivered value is none of the declared ones; the value is kept as null.';

create table landing.candidate_answer (
    delivery_id text not null,
    record_number integer not null,
    response_id text,
    instrument_slug text not null,
    instrument_version text not null,
    item_slug text not null,
    value_number double precision,
    value_code text,
    answer_state text not null,
    is_documented boolean not null,
    is_inconsistent boolean not null default false,
    primary key (delivery_id, record_number, instrument_slug, instrument_version, item_slug)
);

create table landing.candidate_comment (
    delivery_id text not null,
    record_number integer not null,
    response_id text,
    comment_id text,
    source_record_ref text,
    question_slug text not null,
    question_intent text not null,
    is_question_declared boolean not null,
    comment_text text not null,
    comment_length integer not null,
    is_blank boolean not null,
    has_control_character boolean not null,
    has_markup boolean not null,
    has_formula_start boolean not null,
    primary key (delivery_id, record_number, question_slug)
);
comment on table landing.candidate_comment is 'One row per comment of a record, original text. Restricted.';

create table landing.set_aside (
    set_aside_id text primary key,
    delivery_id text not null references landing.delivery,
    record_number integer,
    set_aside_level text not null check (set_aside_level in ('delivery', 'record', 'value')),
    check_id text not null,
    field_name text,
    reason text not null,
    set_aside_state text not null default 'set_aside'
        check (set_aside_state in ('set_aside', 'released', 'waived')),
    run_id text not null,
    set_aside_at timestamptz not null default now(),
    decided_by text,
    decided_at timestamptz,
    decision_reason text
);
create index on landing.set_aside (delivery_id, record_number);
comment on table landing.set_aside is
    'What the landing gate kept back, and by which check. Holds no delivered value.';
"""

FEEDBACK = """
create table feedback.record (
    source_slug text not null,
    source_record_ref text not null,
    response_id text not null,
    content_sha256 text not null,
    record_version integer not null,
    delivery_id text not null references landing.delivery,
    record_number integer not null,
    is_withdrawn boolean not null default false,
    accepted_at timestamptz not null default now(),
    primary key (source_slug, source_record_ref)
);
create index on feedback.record (response_id);
create index on feedback.record (delivery_id);
comment on table feedback.record is 'The newest accepted version of each record, and the delivery that brought it.';

create table feedback.response (
    response_id text primary key,
    source_slug text not null,
    source_record_ref text not null,
    record_version integer not null,
    is_withdrawn boolean not null default false,
    respondent_id text,
    organisation_slug text,
    organisation_name text,
    site_slug text,
    site_name text,
    service_slug text,
    service_name text,
    channel_slug text,
    submitted_on date,
    submitted_at timestamptz,
    submitted_on_basis text not null,
    submitted_on_note text,
    received_at timestamptz not null,
    language_code text,
    age_band text,
    sex text,
    ethnic_group text,
    deprivation_quintile integer,
    preferred_language text,
    has_disability boolean,
    source_metadata jsonb not null default '{}',
    delivery_id text not null references landing.delivery
);

create table feedback.answer (
    response_id text not null references feedback.response on delete cascade,
    instrument_slug text not null,
    instrument_version text not null,
    item_slug text not null,
    value_number double precision,
    value_code text,
    answer_state text not null check (answer_state in ('answered', 'not_applicable', 'missing')),
    is_value_set_aside boolean not null default false,
    delivery_id text not null,
    record_number integer not null,
    primary key (response_id, instrument_slug, instrument_version, item_slug)
);

create table feedback.comment (
    comment_id text primary key,
    response_id text not null references feedback.response on delete cascade,
    source_slug text not null,
    source_record_ref text not null,
    question_slug text not null,
    question_intent text not null check (question_intent in ('what_was_good', 'what_to_improve', 'open')),
    comment_state text not null check (comment_state in ('text', 'blank')),
    text_sha256 text not null,
    comment_text text not null,
    redaction_count integer not null default 0,
    redaction_version text not null,
    declared_language_code text,
    delivery_id text not null,
    record_number integer not null,
    accepted_at timestamptz not null default now()
);
create index on feedback.comment (text_sha256);
create index on feedback.comment (response_id);
comment on column feedback.comment.comment_text is 'Redacted text; an entity stands as its kind in brackets.';

create table restricted.comment_original (
    comment_id text primary key references feedback.comment on delete cascade,
    original_text text not null
);
comment on table restricted.comment_original is
    'Original text. Readable by the pipeline''s own role alone.';
"""

ANALYSIS = """
create table analysis.text_language (
    text_sha256 text primary key,
    language_code text,
    language_confidence real,
    language_basis text not null check (language_basis in ('detected', 'declared', 'undetermined')),
    detector_version text not null,
    detected_at timestamptz not null default now()
);

create table analysis.embedding (
    text_sha256 text not null,
    encoder_version text not null,
    embedding halfvec not null,
    embedded_at timestamptz not null default now(),
    primary key (text_sha256, encoder_version)
);

create table analysis.sentiment (
    text_sha256 text not null,
    question_intent text not null,
    sentiment_model_version text not null,
    encoder_version text not null,
    sentiment_label text not null
        check (sentiment_label in ('very_negative', 'negative', 'neutral', 'positive', 'very_positive')),
    sentiment_score real not null check (sentiment_score between -1 and 1),
    sentiment_confidence real not null check (sentiment_confidence between 0 and 1),
    scored_at timestamptz not null default now(),
    primary key (text_sha256, question_intent, sentiment_model_version)
);

create table analysis.topic_reading (
    text_sha256 text not null,
    question_intent text not null,
    topic_model_version text not null,
    encoder_version text not null,
    topic_count integer not null,
    scored_at timestamptz not null default now(),
    primary key (text_sha256, question_intent, topic_model_version)
);
comment on table analysis.topic_reading is 'That a text was read for topics; topic_count may be 0.';

create table analysis.topic_mention (
    text_sha256 text not null,
    question_intent text not null,
    topic_model_version text not null,
    topic_slug text not null,
    topic_confidence real not null check (topic_confidence between 0 and 1),
    primary key (text_sha256, question_intent, topic_model_version, topic_slug),
    foreign key (text_sha256, question_intent, topic_model_version)
        references analysis.topic_reading on delete cascade
);

create table analysis.theme (
    theme_slug text primary key,
    theme_label text not null,
    theme_status text not null default 'proposed'
        check (theme_status in ('proposed', 'approved', 'merged', 'retired')),
    merged_into_slug text references analysis.theme,
    created_at timestamptz not null default now()
);
comment on table analysis.theme is 'Registry: a slug is permanent and never used again; the label may be edited by people.';

create table analysis.theme_set (
    theme_set_id text primary key,
    theme_model_version text not null,
    encoder_version text not null,
    sample_sha256 text not null,
    sample_count integer not null,
    theme_count integer not null,
    assignment_threshold real not null,
    parameters jsonb not null,
    previous_theme_set_id text references analysis.theme_set,
    is_current boolean not null default false,
    fitted_at timestamptz not null default now()
);
create unique index on analysis.theme_set (is_current) where is_current;

create table analysis.theme_set_member (
    theme_set_id text not null references analysis.theme_set on delete cascade,
    theme_slug text not null references analysis.theme,
    centroid halfvec not null,
    theme_keywords text[] not null,
    exemplar_text_sha256s text[] not null,
    sample_member_count integer not null,
    matched_theme_slug text,
    match_similarity real,
    primary key (theme_set_id, theme_slug)
);

create table analysis.theme_assignment (
    text_sha256 text not null,
    theme_set_id text not null references analysis.theme_set on delete cascade,
    theme_slug text,
    theme_confidence real not null check (theme_confidence between 0 and 1),
    assigned_at timestamptz not null default now(),
    primary key (text_sha256, theme_set_id)
);
comment on column analysis.theme_assignment.theme_slug is 'Null: unassigned, nearer to no theme than the threshold.';
"""

AUDIT = """
create table audit.check_definition (
    check_id text primary key,
    tool text not null check (tool in ('great_expectations', 'dbt')),
    gate text not null,
    checked_table text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    dimension text not null check (
        dimension in ('completeness', 'uniqueness', 'validity', 'consistency', 'timeliness', 'accuracy')
    ),
    owner text not null,
    effect text not null check (
        effect in ('stop_delivery', 'set_aside_record', 'set_aside_value', 'stop_publication', 'report')
    ),
    title text not null,
    why text not null,
    is_active boolean not null default true
);

create table audit.check_result (
    check_result_id bigint generated always as identity primary key,
    run_id text not null,
    check_id text not null,
    tool text not null,
    gate text not null,
    checked_subject text not null,
    checked_at timestamptz not null default now(),
    outcome text not null check (outcome in ('passed', 'failed', 'error')),
    severity text not null,
    effect text not null,
    evaluated_count bigint,
    unexpected_count bigint,
    outcome_note text
);
create index on audit.check_result (checked_subject, check_id);
comment on column audit.check_result.checked_subject is
    'delivery_id at the landing gate; encoder version at the analysis gate; marts slot at the marts gate.';
comment on column audit.check_result.outcome_note is 'Counts and names only; never a delivered value.';

create table audit.pipeline_run (
    pipeline_run_id text primary key,
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    try_number integer not null,
    run_type text,
    data_interval_start timestamptz,
    data_interval_end timestamptz,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    run_state text not null check (run_state in ('running', 'succeeded', 'skipped', 'failed')),
    row_count bigint,
    counts jsonb not null default '{}',
    error_kind text
);

create table audit.ledger (
    ledger_id bigint primary key,
    happened_at timestamptz not null default now(),
    action text not null,
    subject text not null,
    actor text not null,
    run_id text,
    row_count bigint,
    details jsonb not null default '{}',
    previous_sha256 text,
    entry_sha256 text not null
);
comment on table audit.ledger is
    'What changed the warehouse, in order. Insert-only; each entry carries the hash of the one before it.';

create table audit.publication (
    publication_id bigint generated always as identity primary key,
    marts_slot text not null check (marts_slot in ('marts_blue', 'marts_green')),
    published_at timestamptz not null default now(),
    run_id text not null,
    feedback_ledger_id bigint not null,
    theme_set_id text,
    is_current boolean not null default true
);
create unique index on audit.publication (is_current) where is_current;
comment on column audit.publication.feedback_ledger_id is
    'The last ledger entry that the published marts include.';
"""

APPEND_ONLY = """
create function audit.chain_ledger_entry() returns trigger language plpgsql as $$
begin
    -- Held until the transaction ends, so that numbers follow the order of commits without a gap.
    perform pg_advisory_xact_lock(hashtext('audit.ledger'));
    select ledger_id, entry_sha256 into new.ledger_id, new.previous_sha256
    from audit.ledger order by ledger_id desc limit 1;
    new.ledger_id := coalesce(new.ledger_id, 0) + 1;
    new.entry_sha256 := encode(sha256(convert_to(concat_ws(
        '|', new.ledger_id::text, new.previous_sha256, new.action, new.subject, new.actor,
        new.run_id, new.row_count::text, new.details::text, extract(epoch from new.happened_at)::text
    ), 'UTF8')), 'hex');
    return new;
end $$;
create trigger chain_ledger_entry before insert on audit.ledger
for each row execute function audit.chain_ledger_entry();

create function audit.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'audit.% is insert-only: add a row that corrects it instead', tg_table_name;
end $$;
create trigger refuse_change before update or delete or truncate on audit.ledger
for each statement execute function audit.refuse_change();
create trigger refuse_change before update or delete or truncate on audit.check_result
for each statement execute function audit.refuse_change();
"""


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"create schema {schema}")
    for statements in (LANDING, FEEDBACK, ANALYSIS, AUDIT, APPEND_ONLY):
        op.execute(statements)


def downgrade() -> None:
    for schema in reversed(SCHEMAS):
        op.execute(f"drop schema {schema} cascade")
