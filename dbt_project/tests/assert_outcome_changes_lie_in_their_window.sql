{{ config(
    meta={
        'check_id': 'FB-DBT-111',
        'title': 'Changes over time are of one person, with a follow-up inside the window',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A change between two people, or over too short a time, is no outcome of anybody.',
    }
) }}

select
    changes.score_slug,
    changes.baseline_response_id,
    changes.followup_response_id
from {{ ref('fct_outcome_changes') }} as changes
left join {{ ref('fct_responses') }} as baselines on changes.baseline_response_id = baselines.response_id
left join {{ ref('fct_responses') }} as followups on changes.followup_response_id = followups.response_id
where
    baselines.respondent_id is distinct from changes.respondent_id
    or followups.respondent_id is distinct from changes.respondent_id
    or not coalesce(
        followups.submitted_on - baselines.submitted_on
        between {{ var('outcome_min_days') }} and {{ var('outcome_max_days') }},
        false
    )
