{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id') }}",
    indexes=[{'columns': ['response_id']}, {'columns': ['subject_slug']}],
) }}

-- Several records of a response may name the same subject: it counts once for the response.
with distinct_subjects as (
    select
        subjects.response_id,
        subjects.subject_slug,
        min(subjects.subject_label) as subject_label
    from {{ ref('stg_feedback__response_subjects') }} as subjects
    inner join {{ ref('int_responses_kept') }} as kept_responses
        on subjects.response_id = kept_responses.response_id
    where {{ is_to_build('subjects.response_id') }}
    group by subjects.response_id, subjects.subject_slug
),

counted as (
    select
        response_id,
        subject_slug,
        subject_label,
        count(*) over (partition by response_id) as subject_count
    from distinct_subjects
)

select
    response_id,
    subject_slug,
    subject_label,
    subject_count,
    1.0::double precision / subject_count as subject_weight
from counted
