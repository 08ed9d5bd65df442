{{ config(
    meta={
        'check_id': 'FB-DBT-112',
        'title': 'Whoever recovered was a case at the start, and whoever was none is counted by no rate of recovery',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'People who were well at the start would raise the rate of recovery without recovering.',
    }
) }}

select
    followup_response_id,
    change_class
from {{ ref('fct_outcome_changes') }}
where
    score_slug = 'talking_therapy_recovery'
    and (
        (is_recovered and not is_case_at_baseline)
        or is_case_at_baseline is distinct from (class_direction is not null)
    )
