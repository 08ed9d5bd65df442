select
    period_first_on as month_start_on,
    organisation_slug,
    service_slug,
    measure_slug,
    numerator_count,
    denominator_count,
    response_count,
    measure_value::numeric(7, 6) as share,
    interval_low::numeric(7, 6) as wilson_low,
    interval_high::numeric(7, 6) as wilson_high,
    cell_state
from {{ ref('rpt_measures') }}
where
    measure_slug in ('fft_positive_share', 'fft_negative_share')
    and period_kind = 'month'
    and stratum_attribute = 'all'
