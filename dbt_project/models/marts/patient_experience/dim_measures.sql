-- A composite is as little confirmed as its items.
with not_confirmed as (
    select
        score_slug,
        instrument_version
    from {{ ref('scores') }}
    where not is_confirmed
    union
    select
        composites.composite_slug as score_slug,
        composites.instrument_version
    from {{ ref('composites') }} as composites
    inner join {{ ref('scores') }} as items
        on
            composites.member_score_slug = items.score_slug
            and composites.instrument_version = items.instrument_version
    where not items.is_confirmed
)

select
    measures.measure_slug,
    measures.measure_version,
    measures.measure_label,
    measures.definition,
    measures.numerator,
    measures.denominator,
    measures.missing_rule,
    measures.source,
    not_confirmed.score_slug is null as is_confirmed,
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
left join not_confirmed
    on
        measures.score_slug = not_confirmed.score_slug
        and measures.measure_version = not_confirmed.instrument_version
