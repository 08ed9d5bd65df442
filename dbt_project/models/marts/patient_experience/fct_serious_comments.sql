{{ config(indexes=[{'columns': ['entry_id']}, {'columns': ['comment_id']}]) }}

with versions as (
    select * from {{ ref('int_model_versions_selected') }}
),

kept_responses as (
    select * from {{ ref('int_responses_kept') }}
),

decisions as (
    select
        entry_id,
        decision,
        decided_by,
        decided_at,
        decision_reason,
        row_number() over (partition by entry_id order by decision_id desc) as place
    from {{ ref('stg_analysis__serious_decisions') }}
),

raised as (
    -- By the detector in force or by an answer; what another raised stays once people have decided on it.
    select
        entries.*,
        coalesce(
            entries.comment_id is null or entries.detector_version = versions.serious_detector_version, false
        ) as is_still_raised
    from {{ ref('stg_analysis__serious_entries') }} as entries
    cross join versions
),

placed as (
    select
        raised.*,
        row_number() over (
            partition by raised.entry_id
            order by raised.is_still_raised desc, raised.detector_version desc
        ) as place
    from raised
)

select
    placed.entry_id,
    placed.comment_id,
    placed.response_id,
    kept_responses.organisation_slug,
    kept_responses.service_slug,
    kept_responses.submitted_on,
    placed.category,
    placed.basis,
    placed.detector_version,
    placed.is_still_raised,
    case decisions.decision
        when 'acknowledge' then 'acknowledged'
        when 'close' then 'closed'
        else 'open'
    end as status,
    decisions.decided_by as status_by,
    decisions.decided_at as status_at,
    decisions.decision_reason as status_note
from placed
inner join kept_responses on placed.response_id = kept_responses.response_id
left join decisions on placed.entry_id = decisions.entry_id and decisions.place = 1
where placed.place = 1 and (placed.is_still_raised or decisions.entry_id is not null)
