{{ config(
    meta={
        'check_id': 'FB-DBT-073',
        'title': 'A figure has a value where it was published, and only there',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A withheld number that has a value was filled in by somebody, a published one without was lost.',
    }
) }}

select figure_id
from {{ ref('fct_published_figures') }}
where (figure_state = 'published') <> (figure_value is not null)
