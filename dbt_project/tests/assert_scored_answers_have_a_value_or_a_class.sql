{{ config(
    meta={
        'check_id': 'FB-DBT-140',
        'title': 'Whatever is scored has a value or a class',
        'severity': 'critical',
        'dimension': 'completeness',
        'owner': 'analytics-engineering',
        'why': 'A score without either is counted in the denominator of its mean or share, and in nothing above it.',
    }
) }}

select
    response_id,
    score_slug
from {{ ref('fct_scores') }}
where score_state = 'scored' and score_value is null and score_class is null
