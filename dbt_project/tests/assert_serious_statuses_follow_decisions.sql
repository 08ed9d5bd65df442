{{ config(
    meta={
        'check_id': 'FB-DBT-097',
        'title': 'An entry is not open only where somebody decided, and a closed one says why',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A status without who and when closes no loop.',
    }
) }}

select entry_id
from {{ ref('fct_serious_comments') }}
where
    (status <> 'open' and (status_by is null or status_at is null))
    or (status = 'closed' and status_note is null)
