{{ config(
    meta={
        'check_id': 'FB-DBT-069',
        'title': 'The weights of a response\'s subjects add to one',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A complaint counts once in totals, however many subjects it has.',
    }
) }}

select response_id
from {{ ref('bridge_response_subjects') }}
group by response_id
having
    abs(sum(subject_weight) - 1) > 0.000001
    or min(subject_count) <> count(*)
    or max(subject_count) <> count(*)
