{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-135',
        'title': 'A published composite is the mean of its published items, within two points',
        'severity': 'warning',
        'dimension': 'accuracy',
        'owner': 'analytics-engineering',
        'why': 'A composite further off than rounding and adjusted boxes can explain was mapped to other items; the CMS file of 2022 is within 2.0 everywhere.',
    }
) }}

select figure_id
from {{ ref('rpt_published_measures') }}
where abs(recomputed_difference) > 0.020001
