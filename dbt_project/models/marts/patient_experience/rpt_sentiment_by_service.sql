with cells as (
    select
        counted.month_start_on,
        counted.organisation_slug,
        counted.service_slug,
        counted.response_count,
        counted.comment_count,
        counted.positive_count,
        counted.negative_count,
        flags.is_suppressed
    from {{ ref('int_comment_cells_counted') }} as counted
    inner join {{ ref('int_comment_cells_suppressed') }} as flags
        on
            coalesce(counted.month_start_on, '-infinity'::date)
            = coalesce(flags.month_start_on, '-infinity'::date)
            and counted.organisation_slug = flags.organisation_slug
            and counted.service_slug = flags.service_slug
),

measured as (
    select
        cells.month_start_on,
        cells.organisation_slug,
        cells.service_slug,
        measures.measure_slug,
        measures.numerator_count,
        cells.comment_count,
        cells.response_count,
        cells.is_suppressed,
        versions.sentiment_model_version
    from cells
    cross join {{ ref('int_model_versions_selected') }} as versions
    cross join lateral (
        values
        ('positive_sentiment_share', cells.positive_count),
        ('negative_sentiment_share', cells.negative_count)
    ) as measures (measure_slug, numerator_count)
)

select
    month_start_on,
    organisation_slug,
    service_slug,
    measure_slug,
    {{ unless_suppressed('is_suppressed', 'numerator_count') }} as numerator_count,
    {{ unless_suppressed('is_suppressed', 'comment_count') }} as denominator_count,
    {{ unless_suppressed('is_suppressed', 'response_count') }} as response_count,
    {{ unless_suppressed('is_suppressed', share_of('numerator_count', 'comment_count')) }} as share,
    {{ unless_suppressed('is_suppressed', wilson_bound('numerator_count', 'comment_count', 'low')) }}
        as wilson_low,
    {{ unless_suppressed('is_suppressed', wilson_bound('numerator_count', 'comment_count', 'high')) }}
        as wilson_high,
    {{ cell_state('is_suppressed', 'comment_count') }} as cell_state,
    sentiment_model_version
from measured
