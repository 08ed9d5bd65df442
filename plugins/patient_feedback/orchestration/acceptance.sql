-- Carries the candidates of one delivery to `feedback`. Every statement may run again and then changes
-- nothing: an update happens only where a value differs.

-- name: decide
create temporary table decided on commit drop as
select
    record.record_number,
    candidate.source_record_ref,
    candidate.response_id,
    candidate.content_sha256,
    coalesce(candidate.record_version, 1) as record_version,
    candidate.is_conflicting_in_delivery,
    case
        when delivery.delivery_state = 'refused' or refusal.is_present or keeping.is_present then 'set_aside'
        -- Whoever releases it: without a reference there is nothing to keep it under.
        when candidate.source_record_ref is null or (candidate.response_id is null and not %(has_figures)s)
            then 'set_aside'
        -- Nor a figure about nobody, or of no period.
        when exists (
            select from landing.candidate_figure as figure
            where
                figure.delivery_id = record.delivery_id
                and figure.record_number = record.record_number
                and (
                    figure.organisation_slug is null
                    or figure.period_first_on is null
                    or figure.period_last_on is null
                )
        ) then 'set_aside'
        when candidate.is_repeated_in_delivery or candidate.is_already_accepted then 'duplicate'
        when candidate.is_withdrawn then 'withdrawn'
        else 'accepted'
    end as record_state,
    -- Reprocessing an old delivery must not bring back what a newer one replaced.
    coalesce(newest.delivery_id <> record.delivery_id, false)
    and case
        when candidate.declared_version <> newest.record_version
            then candidate.declared_version < newest.record_version
        else
            (delivery.file_modified_at, delivery.file_name, delivery.delivery_id)
            < (newest.file_modified_at, newest.file_name, newest.delivery_id)
    end
    -- Nor may a lower version beside a higher one in the same delivery, unless that one is kept back; nor the
    -- first of two that contradict each other, once the later one is released in its place.
    or row_number() over (
        partition by
            candidate.source_record_ref,
            delivery.delivery_state = 'refused' or refusal.is_present or keeping.is_present,
            candidate.is_repeated_in_delivery or candidate.is_already_accepted
        order by
            candidate.declared_version desc nulls last,
            candidate.is_conflicting_in_delivery desc,
            candidate.record_number desc
    ) > 1 as is_superseded
from landing.record
inner join landing.delivery on record.delivery_id = delivery.delivery_id
inner join landing.candidate_record as candidate
    on
        record.delivery_id = candidate.delivery_id
        and record.record_number = candidate.record_number
cross join lateral (
    select exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = record.delivery_id
            and set_aside.set_aside_level = 'delivery'
            and set_aside.set_aside_state = 'set_aside'
    ) as is_present
) as refusal
cross join lateral (
    select exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = record.delivery_id
            and set_aside.record_number = record.record_number
            and set_aside.set_aside_level = 'record'
            and set_aside.set_aside_state = 'set_aside'
    ) as is_present
) as keeping
left join lateral (
    select accepted.delivery_id, accepted.record_version, bringer.file_modified_at, bringer.file_name
    from feedback.record as accepted
    inner join landing.delivery as bringer using (delivery_id)
    where
        accepted.source_slug = candidate.source_slug
        and accepted.source_record_ref = candidate.source_record_ref
) as newest on true
where record.delivery_id = %(delivery_id)s

-- name: forget
with no_longer_accepted as (
    select record.source_slug, record.source_record_ref, record.response_id, record.record_number
    from feedback.record
    -- Under a changed declaration the same line may bear another reference: the old one is forgotten.
    left join decided
        on
            record.record_number = decided.record_number
            and record.source_record_ref = decided.source_record_ref
            and record.response_id is not distinct from decided.response_id
    where
        record.delivery_id = %(delivery_id)s
        and decided.record_state is distinct from 'accepted'
        and decided.record_state is distinct from 'withdrawn'
),

forgotten_comments as (
    delete from feedback.comment
    using no_longer_accepted
    where
        comment.delivery_id = %(delivery_id)s
        and comment.record_number = no_longer_accepted.record_number
),

forgotten_answers as (
    delete from feedback.answer
    using no_longer_accepted
    where
        answer.delivery_id = %(delivery_id)s
        and answer.record_number = no_longer_accepted.record_number
),

forgotten_subjects as (
    delete from feedback.response_subject as subject
    using no_longer_accepted
    where
        subject.delivery_id = %(delivery_id)s
        and subject.record_number = no_longer_accepted.record_number
),

forgotten_figures as (
    delete from feedback.published_figure as figure
    using no_longer_accepted
    where
        figure.delivery_id = %(delivery_id)s
        and figure.record_number = no_longer_accepted.record_number
),

forgotten_records as (
    delete from feedback.record
    using no_longer_accepted
    where
        record.source_slug = no_longer_accepted.source_slug
        and record.source_record_ref = no_longer_accepted.source_record_ref
    returning record.response_id, record.source_record_ref
)

delete from feedback.response
where
    response_id in (select forgotten_records.response_id from forgotten_records)
    and not exists (
        select from feedback.record
        where
            record.response_id = response.response_id
            and record.source_record_ref not in (
                select forgotten_records.source_record_ref from forgotten_records
            )
    )

-- name: carried_comment
create temporary table carried_comment on commit drop as
select
    comment.record_number,
    comment.comment_id,
    comment.comment_text as original_text,
    original.original_text is not distinct from comment.comment_text
    and kept.redaction_version is not distinct from %(redaction_version)s
    and kept.comment_state = 'text' as is_redacted
from landing.candidate_comment as comment
inner join decided on comment.record_number = decided.record_number
left join feedback.comment as kept on comment.comment_id = kept.comment_id
left join restricted.comment_original as original on comment.comment_id = original.comment_id
where
    comment.delivery_id = %(delivery_id)s
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not comment.is_blank
    and not exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = comment.delivery_id
            and set_aside.record_number = comment.record_number
            and set_aside.set_aside_level = 'value'
            and set_aside.set_aside_state = 'set_aside'
            and set_aside.field_name = 'comment.' || comment.question_slug
    )

-- name: unsaid_comments
-- What an earlier version of the record said, or an earlier reading of it, and this one does not.
delete from feedback.comment
using decided
where
    comment.source_slug = %(source_slug)s
    and comment.source_record_ref = decided.source_record_ref
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not exists (
        select from landing.candidate_comment as candidate
        where
            candidate.delivery_id = %(delivery_id)s
            and candidate.record_number = decided.record_number
            and candidate.comment_id = comment.comment_id
            and candidate.is_blank
    )
    and not exists (
        select from carried_comment as carried
        where carried.record_number = decided.record_number and carried.comment_id = comment.comment_id
    )

-- name: unsaid_answers
delete from feedback.answer
using decided, feedback.record as earlier
where
    earlier.source_slug = %(source_slug)s
    and earlier.source_record_ref = decided.source_record_ref
    and answer.response_id = earlier.response_id
    and answer.delivery_id = earlier.delivery_id
    and answer.record_number = earlier.record_number
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not exists (
        select from landing.candidate_answer as candidate
        where
            candidate.delivery_id = %(delivery_id)s
            and candidate.record_number = decided.record_number
            and candidate.response_id = answer.response_id
            and candidate.instrument_slug = answer.instrument_slug
            and candidate.instrument_version = answer.instrument_version
            and candidate.item_slug = answer.item_slug
    )

-- name: unsaid_subjects
delete from feedback.response_subject as subject
using decided
where
    subject.source_slug = %(source_slug)s
    and subject.source_record_ref = decided.source_record_ref
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not exists (
        select from landing.candidate_subject as candidate
        where
            candidate.delivery_id = %(delivery_id)s
            and candidate.record_number = decided.record_number
            and candidate.response_id = subject.response_id
            and candidate.subject_slug = subject.subject_slug
    )

-- name: unsaid_figures
delete from feedback.published_figure as figure
using decided
where
    figure.source_slug = %(source_slug)s
    and figure.source_record_ref = decided.source_record_ref
    and decided.record_state in ('accepted', 'withdrawn')
    and not decided.is_superseded
    and not exists (
        select from landing.candidate_figure as candidate
        where
            candidate.delivery_id = %(delivery_id)s
            and candidate.record_number = decided.record_number
            and candidate.figure_id = figure.figure_id
            and decided.record_state = 'accepted'
    )

-- name: responses
insert into feedback.response as kept (
    response_id, source_slug, source_record_ref, record_version, is_withdrawn, respondent_id,
    organisation_slug, organisation_name, site_slug, site_name, service_slug, service_name, channel_slug,
    submitted_on, submitted_at, submitted_on_basis, submitted_on_note, received_at, language_code,
    age_band, sex, ethnic_group, deprivation_quintile, preferred_language, has_disability,
    source_metadata, delivery_id
)
select distinct on (candidate.response_id)
    candidate.response_id,
    %(source_slug)s,
    candidate.response_ref,
    decided.record_version,
    -- One withdrawn record withdraws the response, until the record itself comes again.
    decided.record_state = 'withdrawn'
    or exists (
        select from feedback.record as held
        where
            held.response_id = candidate.response_id
            and held.is_withdrawn
            and not exists (
                select from decided as renewed
                where
                    renewed.source_record_ref = held.source_record_ref
                    and renewed.record_state in ('accepted', 'withdrawn')
                    and not renewed.is_superseded
            )
    ),
    candidate.respondent_id,
    candidate.organisation_slug,
    candidate.organisation_name,
    candidate.site_slug,
    candidate.site_name,
    candidate.service_slug,
    candidate.service_name,
    candidate.channel_slug,
    case when 'submitted_on' <> all(kept_back.field_names) then candidate.submitted_on end,
    case when 'submitted_on' <> all(kept_back.field_names) then candidate.submitted_at end,
    candidate.submitted_on_basis,
    candidate.submitted_on_note,
    delivery.landed_at,
    candidate.language_code,
    candidate.age_band,
    candidate.sex,
    candidate.ethnic_group,
    case when 'deprivation_quintile' <> all(kept_back.field_names) then candidate.deprivation_quintile end,
    candidate.preferred_language,
    candidate.has_disability,
    candidate.source_metadata,
    candidate.delivery_id
from landing.candidate_response as candidate
inner join decided on candidate.record_number = decided.record_number
inner join landing.delivery on candidate.delivery_id = delivery.delivery_id
cross join lateral (
    select coalesce(array_agg(set_aside.field_name), '{}') as field_names
    from landing.set_aside
    where
        set_aside.delivery_id = candidate.delivery_id
        and set_aside.record_number = candidate.record_number
        and set_aside.set_aside_level = 'value'
        and set_aside.set_aside_state = 'set_aside'
) as kept_back
where
    candidate.delivery_id = %(delivery_id)s
    and decided.record_state in ('accepted', 'withdrawn')
    and not decided.is_superseded
order by candidate.response_id, decided.record_state desc, candidate.record_number
on conflict (response_id) do update
set
    record_version = excluded.record_version,
    is_withdrawn = excluded.is_withdrawn,
    respondent_id = excluded.respondent_id,
    organisation_slug = excluded.organisation_slug,
    organisation_name = excluded.organisation_name,
    site_slug = excluded.site_slug,
    site_name = excluded.site_name,
    service_slug = excluded.service_slug,
    service_name = excluded.service_name,
    channel_slug = excluded.channel_slug,
    submitted_on = excluded.submitted_on,
    submitted_at = excluded.submitted_at,
    submitted_on_basis = excluded.submitted_on_basis,
    submitted_on_note = excluded.submitted_on_note,
    received_at = excluded.received_at,
    language_code = excluded.language_code,
    age_band = excluded.age_band,
    sex = excluded.sex,
    ethnic_group = excluded.ethnic_group,
    deprivation_quintile = excluded.deprivation_quintile,
    preferred_language = excluded.preferred_language,
    has_disability = excluded.has_disability,
    source_metadata = excluded.source_metadata,
    delivery_id = excluded.delivery_id
where
    kept.* is distinct from excluded.*
    -- A response that several records speak of keeps what the newest delivery says, as long as it says it.
    and (
        not exists (
            select
            from landing.delivery as brought, landing.delivery as coming
            where
                brought.delivery_id = kept.delivery_id
                and coming.delivery_id = excluded.delivery_id
                and (brought.file_modified_at, brought.file_name, brought.delivery_id)
                > (coming.file_modified_at, coming.file_name, coming.delivery_id)
        )
        or not exists (
            select from feedback.record as held
            where
                held.response_id = kept.response_id
                and held.delivery_id = kept.delivery_id
                and not exists (
                    select from decided
                    where
                        decided.source_record_ref = held.source_record_ref
                        and decided.record_state in ('accepted', 'withdrawn')
                        and not decided.is_superseded
                )
        )
    )

-- name: answers
insert into feedback.answer as kept (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
    is_value_set_aside, delivery_id, record_number
)
select distinct on (
    candidate.response_id, candidate.instrument_slug, candidate.instrument_version, candidate.item_slug
)
    candidate.response_id,
    candidate.instrument_slug,
    candidate.instrument_version,
    candidate.item_slug,
    case when kept_back.is_present then null else candidate.value_number end,
    case when kept_back.is_present then null else candidate.value_code end,
    case when kept_back.is_present then 'missing' else candidate.answer_state end,
    kept_back.is_present,
    candidate.delivery_id,
    candidate.record_number
from landing.candidate_answer as candidate
inner join decided on candidate.record_number = decided.record_number
cross join lateral (
    select exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = candidate.delivery_id
            and set_aside.record_number = candidate.record_number
            and set_aside.set_aside_level = 'value'
            and set_aside.set_aside_state = 'set_aside'
            and set_aside.field_name = 'answer.' || candidate.instrument_slug || '.' || candidate.item_slug
    ) as is_present
) as kept_back
where
    candidate.delivery_id = %(delivery_id)s
    and decided.record_state = 'accepted'
    and not decided.is_superseded
order by
    candidate.response_id,
    candidate.instrument_slug,
    candidate.instrument_version,
    candidate.item_slug,
    candidate.record_number
on conflict (response_id, instrument_slug, instrument_version, item_slug) do update
set
    value_number = excluded.value_number,
    value_code = excluded.value_code,
    answer_state = excluded.answer_state,
    is_value_set_aside = excluded.is_value_set_aside,
    delivery_id = excluded.delivery_id,
    record_number = excluded.record_number
where
    kept.* is distinct from excluded.*
    -- What another record of a newer delivery says, stays: running the older one again must not undo it.
    and (
        not exists (
            select
            from landing.delivery as brought, landing.delivery as coming
            where
                brought.delivery_id = kept.delivery_id
                and coming.delivery_id = excluded.delivery_id
                and (brought.file_modified_at, brought.file_name, brought.delivery_id)
                > (coming.file_modified_at, coming.file_name, coming.delivery_id)
        )
        or not exists (
            select from feedback.record as held
            where
                held.response_id = kept.response_id
                and held.delivery_id = kept.delivery_id
                and held.record_number = kept.record_number
                and not exists (
                    select from decided
                    where
                        decided.source_record_ref = held.source_record_ref
                        and decided.record_state in ('accepted', 'withdrawn')
                        and not decided.is_superseded
                )
        )
    )

-- name: comments
insert into feedback.comment as kept (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
    text_sha256, comment_text, redaction_count, redaction_version, declared_language_code,
    delivery_id, record_number
)
select distinct on (candidate.comment_id)
    candidate.comment_id,
    candidate.response_id,
    %(source_slug)s,
    candidate.source_record_ref,
    candidate.question_slug,
    candidate.question_intent,
    case
        when candidate.is_blank or trim(coalesce(redacted.comment_text, known.comment_text)) = '' then 'blank'
        else 'text'
    end,
    coalesce(redacted.text_sha256, known.text_sha256, encode(sha256(''), 'hex')),
    coalesce(redacted.comment_text, known.comment_text, ''),
    coalesce(redacted.redaction_count, known.redaction_count, 0),
    %(redaction_version)s,
    coalesce(response.language_code, %(language_code)s),
    candidate.delivery_id,
    candidate.record_number
from landing.candidate_comment as candidate
inner join decided on candidate.record_number = decided.record_number
inner join feedback.response on candidate.response_id = response.response_id
left join carried_comment as carried
    on
        candidate.comment_id = carried.comment_id
        and candidate.record_number = carried.record_number
left join redacted on not carried.is_redacted and carried.original_text = redacted.original_text
left join feedback.comment as known on carried.is_redacted and carried.comment_id = known.comment_id
where
    candidate.delivery_id = %(delivery_id)s
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not response.is_withdrawn
    and (candidate.is_blank or carried.comment_id is not null)
    -- A value that the source lost, as a spreadsheet's error is, takes no words away that are held.
    and not (
        candidate.is_blank
        and exists (
            select from landing.set_aside
            where
                set_aside.delivery_id = candidate.delivery_id
                and set_aside.record_number = candidate.record_number
                and set_aside.set_aside_level = 'value'
                and set_aside.set_aside_state = 'set_aside'
                and set_aside.field_name = 'comment.' || candidate.question_slug
        )
        and exists (
            select from feedback.comment as held
            where held.comment_id = candidate.comment_id and held.comment_state = 'text'
        )
    )
order by candidate.comment_id, decided.is_conflicting_in_delivery desc, candidate.record_number
on conflict (comment_id) do update
set
    source_record_ref = excluded.source_record_ref,
    question_intent = excluded.question_intent,
    comment_state = excluded.comment_state,
    text_sha256 = excluded.text_sha256,
    comment_text = excluded.comment_text,
    redaction_count = excluded.redaction_count,
    redaction_version = excluded.redaction_version,
    declared_language_code = excluded.declared_language_code,
    delivery_id = excluded.delivery_id,
    record_number = excluded.record_number
where
    (
        kept.source_record_ref, kept.question_intent, kept.comment_state, kept.text_sha256,
        kept.redaction_count, kept.redaction_version, kept.declared_language_code,
        kept.delivery_id, kept.record_number
    ) is distinct from (
        excluded.source_record_ref, excluded.question_intent, excluded.comment_state, excluded.text_sha256,
        excluded.redaction_count, excluded.redaction_version, excluded.declared_language_code,
        excluded.delivery_id, excluded.record_number
    )
    and (
        not exists (
            select
            from landing.delivery as brought, landing.delivery as coming
            where
                brought.delivery_id = kept.delivery_id
                and coming.delivery_id = excluded.delivery_id
                and (brought.file_modified_at, brought.file_name, brought.delivery_id)
                > (coming.file_modified_at, coming.file_name, coming.delivery_id)
        )
        or not exists (
            select from feedback.record as held
            where
                held.response_id = kept.response_id
                and held.delivery_id = kept.delivery_id
                and held.record_number = kept.record_number
                and not exists (
                    select from decided
                    where
                        decided.source_record_ref = held.source_record_ref
                        and decided.record_state in ('accepted', 'withdrawn')
                        and not decided.is_superseded
                )
        )
    )

-- name: subjects
-- Each record names its own: what another record of the response says is not touched.
insert into feedback.response_subject as kept (
    response_id, source_slug, source_record_ref, subject_slug, subject_label, delivery_id, record_number
)
select
    candidate.response_id,
    %(source_slug)s,
    decided.source_record_ref,
    candidate.subject_slug,
    candidate.subject_label,
    candidate.delivery_id,
    candidate.record_number
from landing.candidate_subject as candidate
inner join decided on candidate.record_number = decided.record_number
inner join feedback.response on candidate.response_id = response.response_id
where
    candidate.delivery_id = %(delivery_id)s
    and decided.record_state = 'accepted'
    and not decided.is_superseded
    and not response.is_withdrawn
on conflict (response_id, source_record_ref, subject_slug) do update
set
    subject_label = excluded.subject_label,
    delivery_id = excluded.delivery_id,
    record_number = excluded.record_number
where kept.* is distinct from excluded.*

-- name: figures
insert into feedback.published_figure as kept (
    figure_id, source_slug, source_record_ref, measure_slug, organisation_slug, organisation_name, site_slug, site_name,
    service_slug, service_name, is_total, period_first_on, period_last_on, value_number, unit, figure_state,
    is_value_set_aside, respondent_count, respondent_band, source_metadata, delivery_id, record_number
)
select
    candidate.figure_id,
    %(source_slug)s,
    decided.source_record_ref,
    candidate.measure_slug,
    candidate.organisation_slug,
    candidate.organisation_name,
    candidate.site_slug,
    candidate.site_name,
    candidate.service_slug,
    candidate.service_name,
    candidate.is_total,
    candidate.period_first_on,
    candidate.period_last_on,
    case when kept_back.is_present then null else candidate.value_number end,
    candidate.unit,
    case
        -- A text in place of a number that a person waives is still no number.
        when kept_back.is_present or (candidate.figure_state = 'published' and candidate.value_number is null)
            then 'not_available'
        else candidate.figure_state
    end,
    kept_back.is_present,
    candidate.respondent_count,
    candidate.respondent_band,
    candidate.source_metadata,
    candidate.delivery_id,
    candidate.record_number
from landing.candidate_figure as candidate
inner join decided on candidate.record_number = decided.record_number
cross join lateral (
    select exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = candidate.delivery_id
            and set_aside.record_number = candidate.record_number
            and set_aside.set_aside_level = 'value'
            and set_aside.set_aside_state = 'set_aside'
            and set_aside.field_name = 'figure.' || candidate.measure_slug
    ) as is_present
) as kept_back
where
    candidate.delivery_id = %(delivery_id)s
    and decided.record_state = 'accepted'
    and not decided.is_superseded
on conflict (figure_id) do update
set
    organisation_slug = excluded.organisation_slug,
    organisation_name = excluded.organisation_name,
    site_slug = excluded.site_slug,
    site_name = excluded.site_name,
    service_slug = excluded.service_slug,
    service_name = excluded.service_name,
    is_total = excluded.is_total,
    period_first_on = excluded.period_first_on,
    period_last_on = excluded.period_last_on,
    value_number = excluded.value_number,
    unit = excluded.unit,
    figure_state = excluded.figure_state,
    is_value_set_aside = excluded.is_value_set_aside,
    respondent_count = excluded.respondent_count,
    respondent_band = excluded.respondent_band,
    source_metadata = excluded.source_metadata,
    delivery_id = excluded.delivery_id,
    record_number = excluded.record_number
where kept.* is distinct from excluded.*

-- name: originals
insert into restricted.comment_original as kept (comment_id, original_text)
select distinct on (carried.comment_id)
    carried.comment_id,
    carried.original_text
from carried_comment as carried
inner join feedback.comment
    on
        carried.comment_id = comment.comment_id
        and carried.record_number = comment.record_number
where comment.delivery_id = %(delivery_id)s and not carried.is_redacted
order by carried.comment_id, carried.record_number
on conflict (comment_id) do update
set original_text = excluded.original_text
where kept.original_text is distinct from excluded.original_text

-- name: blanked_originals
-- Who empties a comment takes its words back.
delete from restricted.comment_original
using feedback.comment, landing.candidate_comment as candidate
where
    comment_original.comment_id = comment.comment_id
    and comment.delivery_id = %(delivery_id)s
    and candidate.delivery_id = comment.delivery_id
    and candidate.record_number = comment.record_number
    and candidate.comment_id = comment.comment_id
    and candidate.is_blank

-- name: records
insert into feedback.record as kept (
    source_slug, source_record_ref, response_id, content_sha256, record_version, delivery_id,
    record_number, is_withdrawn
)
select
    %(source_slug)s,
    decided.source_record_ref,
    decided.response_id,
    decided.content_sha256,
    decided.record_version,
    %(delivery_id)s,
    decided.record_number,
    decided.record_state = 'withdrawn'
from decided
where decided.record_state in ('accepted', 'withdrawn') and not decided.is_superseded
on conflict (source_slug, source_record_ref) do update
set
    response_id = excluded.response_id,
    content_sha256 = excluded.content_sha256,
    record_version = excluded.record_version,
    delivery_id = excluded.delivery_id,
    record_number = excluded.record_number,
    is_withdrawn = excluded.is_withdrawn
where
    (kept.content_sha256, kept.delivery_id, kept.record_number, kept.is_withdrawn)
    is distinct from (
        excluded.content_sha256, excluded.delivery_id, excluded.record_number, excluded.is_withdrawn
    )

-- name: orphaned_responses
-- A record that moved to another response leaves none behind.
delete from feedback.response
where
    source_slug = %(source_slug)s
    and not exists (select from feedback.record where record.response_id = response.response_id)

-- name: withdrawals
-- Who withdraws feedback withdraws the words: the redacted text goes, the original with it.
delete from feedback.comment
using decided
where
    comment.response_id = decided.response_id
    and decided.record_state = 'withdrawn'
    and not decided.is_superseded

-- name: withdrawn_subjects
delete from feedback.response_subject as subject
using decided
where
    subject.response_id = decided.response_id
    and decided.record_state = 'withdrawn'
    and not decided.is_superseded

-- name: landed_words_of_withdrawn
-- Nor do they stay in what was landed of the record, in whatever delivery; the hash stays, so that what is delivered
-- again is still known. The landed file itself goes by the retention rule (docs/production.md).
update landing.record
set payload = (
    coalesce(kept_values.columns, '{}') || jsonb_build_object('__content_sha256__', candidate.content_sha256)
)::json
from landing.candidate_record as candidate
inner join feedback.record as kept
    on candidate.source_slug = kept.source_slug and candidate.source_record_ref = kept.source_record_ref
inner join decided on candidate.source_record_ref = decided.source_record_ref
inner join landing.record as landed
    on candidate.delivery_id = landed.delivery_id and candidate.record_number = landed.record_number
cross join lateral (
    select jsonb_object_agg(delivered.name, delivered.value) as columns
    from json_each(landed.payload) as delivered (name, value)
    where delivered.name = any(%(kept_columns)s) or delivered.name = '__withdrawn__'
) as kept_values
where
    candidate.source_slug = %(source_slug)s
    and kept.is_withdrawn
    and record.delivery_id = candidate.delivery_id
    and record.record_number = candidate.record_number
    and record.payload -> '__content_sha256__' is null

-- name: candidate_words_of_withdrawn
delete from landing.candidate_comment as candidate
using landing.candidate_record as own, feedback.record as kept, decided
where
    own.source_slug = %(source_slug)s
    and kept.source_slug = own.source_slug
    and kept.source_record_ref = own.source_record_ref
    and kept.is_withdrawn
    and decided.source_record_ref = own.source_record_ref
    and candidate.delivery_id = own.delivery_id
    and candidate.record_number = own.record_number
    -- What was taken out before is not taken out again.
    and not candidate.is_blank

-- name: states
update landing.record
set record_state = decided.record_state
from decided
where
    record.delivery_id = %(delivery_id)s
    and record.record_number = decided.record_number
    and record.record_state <> decided.record_state

-- name: close_delivery
update landing.delivery
set delivery_state = 'accepted', decided_at = now()
where delivery_id = %(delivery_id)s and delivery_state = 'landed'

-- name: note_decisions
-- Persons' decisions are carried out now: the next run need not look at them again.
update landing.delivery
set decided_at = now()
where
    delivery_id = %(delivery_id)s
    and exists (
        select from landing.set_aside
        where
            set_aside.delivery_id = delivery.delivery_id
            and set_aside.decided_at > coalesce(delivery.decided_at, '-infinity')
            and set_aside.decided_at <= now()
    )

-- name: counts
select
    count(*) filter (where record_state = 'accepted'),
    count(*) filter (where record_state = 'set_aside'),
    count(*) filter (where record_state = 'duplicate'),
    count(*) filter (where record_state = 'withdrawn')
from landing.record
where delivery_id = %(delivery_id)s
