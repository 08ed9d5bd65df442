{{ config(
    meta={
        'check_id': 'FB-DBT-134',
        'title': 'A published share is its published counts over one another, up to rounding, and lies in its interval',
        'severity': 'critical',
        'dimension': 'accuracy',
        'owner': 'analytics-engineering',
        'why': 'A share that its own counts contradict was read from another column or another row.',
    }
) }}

-- Landing allows a point of rounding (FB-LND-106).
select figure_id
from {{ ref('rpt_published_measures') }}
where
    (unit = 'share 0-1' and measure_value not between 0 and 1)
    or (
        denominator_count is not null
        and (
            numerator_count not between 0 and denominator_count
            or abs(measure_value - numerator_count::numeric / denominator_count) > 0.000001
            or abs(published_value - measure_value) > 0.010001
            or measure_value not between interval_low - 0.000001 and interval_high + 0.000001
        )
    )
