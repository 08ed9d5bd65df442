select
    measures.measure_slug,
    measures.measure_version,
    measures.measure_label,
    measures.definition,
    measures.numerator,
    measures.denominator,
    measures.missing_rule,
    measures.source,
    measures.score_slug,
    measures.statistic,
    coalesce(scores.scoring_rule = 'change', false) as is_change,
    measures.unit,
    measures.better_direction,
    {{ min_responses('measures.suppression_setting', 'measures.min_report_count') }} as min_responses,
    measures.suppression_rule,
    nullif(measures.effective_from, '-infinity'::date) as effective_from,
    nullif(measures.effective_to, 'infinity'::date) as effective_to
from {{ ref('measures') }} as measures
left join {{ ref('scores') }} as scores
    on measures.score_slug = scores.score_slug and measures.measure_version = scores.instrument_version
