-- What sets each candidate of one delivery apart from the others and from what was accepted before.

-- name: within_delivery
with compared as (
    select
        record.record_number,
        record.source_record_ref,
        row_number() over (
            partition by record.source_record_ref, record.content_sha256 order by record.record_number
        ) as content_rank,
        -- Versions that the source itself counts may stand side by side: the highest one speaks.
        row_number() over (
            partition by record.source_record_ref, record.record_version order by record.record_number
        ) as record_rank
    from landing.candidate_record as record
    where record.delivery_id = %(delivery_id)s and record.source_record_ref is not null
),

-- Another record that answers the same question of the same response: the first one speaks.
asked as (
    select
        candidate.record_number,
        compared.source_record_ref,
        first_value(compared.source_record_ref) over (
            partition by candidate.comment_id order by candidate.record_number
        ) as first_record_ref
    from landing.candidate_comment as candidate
    inner join compared on candidate.record_number = compared.record_number
    where candidate.delivery_id = %(delivery_id)s and compared.content_rank = 1
),

asked_again as (
    select distinct asked.record_number
    from asked
    where asked.source_record_ref <> asked.first_record_ref
)

update landing.candidate_record as record
set
    declared_version = record.record_version,
    is_repeated_in_delivery = compared.content_rank > 1,
    is_conflicting_in_delivery = compared.content_rank = 1
    and (compared.record_rank > 1 or asked_again.record_number is not null)
from compared
left join asked_again on compared.record_number = asked_again.record_number
where
    record.delivery_id = %(delivery_id)s
    and record.record_number = compared.record_number
    -- The others stay as they were written.
    and (
        record.record_version is not null
        or compared.content_rank > 1
        or compared.record_rank > 1
        or asked_again.record_number is not null
    )

-- name: against_accepted
with compared as (
    select
        own.record_number,
        landed.record_state,
        accepted.source_record_ref is not null as is_known,
        accepted.record_version as accepted_version,
        coalesce(accepted.content_sha256 = own.content_sha256, false) as is_same_content,
        coalesce((accepted.delivery_id, accepted.record_number) = (own.delivery_id, own.record_number), false)
            as is_same_record,
        -- The source's own versions decide where it counts them, else the order of its files.
        coalesce(
            case
                when own.declared_version <> accepted.record_version
                    then own.declared_version < accepted.record_version
                else
                    (delivery.file_modified_at, delivery.file_name, delivery.delivery_id)
                    < (bringer.file_modified_at, bringer.file_name, bringer.delivery_id)
            end,
            false
        ) as is_older
    from landing.record as landed
    inner join landing.delivery on landed.delivery_id = delivery.delivery_id
    inner join landing.candidate_record as own
        on landed.delivery_id = own.delivery_id and landed.record_number = own.record_number
    left join feedback.record as accepted
        on
            own.source_slug = accepted.source_slug
            and own.source_record_ref = accepted.source_record_ref
    left join landing.delivery as bringer on accepted.delivery_id = bringer.delivery_id
    where landed.delivery_id = %(delivery_id)s
)

update landing.candidate_record as record
set
    record_version = case
        when not compared.is_known then record.declared_version
        when compared.is_same_content then compared.accepted_version
        else coalesce(record.declared_version, compared.accepted_version + 1)
    end,
    -- A state that was decided before stays, though a newer delivery has replaced the content since.
    is_already_accepted = case compared.record_state
        when 'accepted' then false
        when 'duplicate'
            then (compared.is_same_content and not compared.is_same_record)
            or (compared.is_older and not compared.is_same_content)
        else compared.is_same_content and not compared.is_same_record
    end,
    is_older_than_accepted = compared.is_older
    and not compared.is_same_content
    and compared.record_state in ('pending', 'set_aside')
from compared
where
    record.delivery_id = %(delivery_id)s
    and record.record_number = compared.record_number
    -- What was never accepted is a first version: so acceptance reads a candidate without a version.
    and (
        compared.is_known
        or record.is_already_accepted
        or record.is_older_than_accepted
        or record.record_version is distinct from record.declared_version
    )

-- name: within_response
with compared as (
    select
        candidate.record_number,
        min(candidate.service_slug) over same_response is distinct from max(candidate.service_slug) over same_response
        or min(candidate.organisation_slug) over same_response
        is distinct from max(candidate.organisation_slug) over same_response
        or min(candidate.site_slug) over same_response is distinct from max(candidate.site_slug) over same_response
            as is_inconsistent
    from landing.candidate_response as candidate
    where candidate.delivery_id = %(delivery_id)s and candidate.response_id is not null
    window same_response as (partition by candidate.response_id)
)

update landing.candidate_response as candidate
set is_response_inconsistent = true
from compared
where
    candidate.delivery_id = %(delivery_id)s
    and candidate.record_number = compared.record_number
    and compared.is_inconsistent

-- name: answers
with compared as (
    select
        candidate.record_number,
        candidate.instrument_slug,
        candidate.instrument_version,
        candidate.item_slug,
        min(candidate.value_code) over same_item is distinct from max(candidate.value_code) over same_item
            as is_inconsistent
    from landing.candidate_answer as candidate
    where candidate.delivery_id = %(delivery_id)s and candidate.response_id is not null
    window
        same_item as (
            partition by
                candidate.response_id, candidate.instrument_slug, candidate.instrument_version, candidate.item_slug
        )
)

update landing.candidate_answer as candidate
set is_inconsistent = true
from compared
where
    candidate.delivery_id = %(delivery_id)s
    and candidate.record_number = compared.record_number
    and candidate.instrument_slug = compared.instrument_slug
    and candidate.instrument_version = compared.instrument_version
    and candidate.item_slug = compared.item_slug
    and compared.is_inconsistent

-- name: question_spelling
with spelt as (
    select
        record.record_number,
        record.payload ->> %(question_column)s as spelling,
        lower(regexp_replace(record.payload ->> %(question_column)s, '\s+', ' ', 'g')) as question
    from landing.record
    where record.delivery_id = %(delivery_id)s and record.payload ->> %(question_column)s is not null
),

usual as (
    select distinct on (question)
        question,
        spelling
    from spelt
    group by question, spelling
    order by question, count(*) desc, spelling
)

update landing.candidate_record as record
set has_question_spelling_variant = true
from spelt
inner join usual on spelt.question = usual.question
where
    record.delivery_id = %(delivery_id)s
    and record.record_number = spelt.record_number
    and spelt.spelling <> usual.spelling
