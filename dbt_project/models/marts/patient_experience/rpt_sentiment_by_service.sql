select
    measures.period_first_on as month_start_on,
    measures.organisation_slug,
    measures.service_slug,
    measures.measure_slug,
    measures.numerator_count,
    measures.denominator_count,
    measures.response_count,
    measures.measure_value::numeric(7, 6) as share,
    measures.interval_low::numeric(7, 6) as wilson_low,
    measures.interval_high::numeric(7, 6) as wilson_high,
    measures.cell_state,
    versions.sentiment_model_version
from {{ ref('rpt_measures') }} as measures
cross join {{ ref('int_model_versions_selected') }} as versions
where
    measures.measure_slug in ('positive_sentiment_share', 'negative_sentiment_share')
    and measures.period_kind = 'month'
    and measures.stratum_attribute = 'all'
