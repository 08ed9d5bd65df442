{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id') }}",
    indexes=[
        {'columns': ['response_id']},
        {'columns': ['submitted_on']},
    ],
) }}

-- Whatever reads the responses as the earlier run left them is built first.
-- depends_on: {{ ref('int_periods_changed') }}
with comments_per_response as (
    select
        response_id,
        count(*) as comment_count,
        count(*) filter (where comment_state = 'text') as text_comment_count
    from {{ ref('int_comments_scored') }}
    where {{ is_to_build('response_id', as_array=false) }}
    group by response_id
)

select
    kept_responses.response_id,
    kept_responses.source_slug,
    kept_responses.source_record_ref,
    kept_responses.record_version,
    kept_responses.respondent_id,
    kept_responses.organisation_slug,
    kept_responses.site_slug,
    kept_responses.service_slug,
    kept_responses.channel_slug,
    kept_responses.submitted_on,
    kept_responses.submitted_at,
    kept_responses.submitted_on_basis,
    kept_responses.submitted_on_note,
    kept_responses.received_at,
    kept_responses.language_code,
    kept_responses.age_band,
    kept_responses.sex,
    kept_responses.ethnic_group,
    kept_responses.deprivation_quintile,
    kept_responses.preferred_language,
    kept_responses.has_disability,
    kept_responses.source_metadata,
    coalesce(comments_per_response.comment_count, 0) as comment_count,
    coalesce(comments_per_response.text_comment_count, 0) as text_comment_count,
    kept_responses.delivery_id
from {{ ref('int_responses_kept') }} as kept_responses
left join comments_per_response on kept_responses.response_id = comments_per_response.response_id
where {{ is_to_build('kept_responses.response_id') }}
