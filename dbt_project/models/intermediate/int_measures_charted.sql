{{ config(materialized='table') }}

with charted as (
    {{ xmr_chart(
        points=ref('int_measure_series'),
        breaks=['rebase_on'],
        max_gap_months=var('chart_max_gap_months'),
        min_points=var('chart_min_points'),
        is_screened=var('chart_is_screened'),
        baseline_points=var('chart_baseline_points'),
    ) }}
),

-- What a share counts rarely: those it counts, or, of a share near 1, those it does not. Null for a mean.
counts as (
    select
        charted.*,
        series.numerator_count,
        series.denominator_count - series.numerator_count as other_count,
        avg(series.numerator_count) over whole_segment as mean_numerator,
        avg(series.denominator_count - series.numerator_count) over whole_segment as mean_other
    from charted
    inner join {{ ref('int_measure_series') }} as series
        on charted.series_key = series.series_key and charted.point_on = series.point_on
    window whole_segment as (partition by charted.series_key, charted.segment_first_on)
)

-- Twelve decimals: far finer than values, so that a point lies on its centre exactly where it does.
select
    series_key,
    point_on,
    value,
    segment_first_on,
    point_number,
    point_count,
    is_provisional,
    moving_range::numeric(24, 12) as moving_range,
    mean_moving_range::numeric(24, 12) as mean_moving_range,
    centre::numeric(24, 12) as centre,
    lower_limit::numeric(24, 12) as lower_limit,
    upper_limit::numeric(24, 12) as upper_limit,
    lower_near_limit::numeric(24, 12) as lower_near_limit,
    upper_near_limit::numeric(24, 12) as upper_near_limit,
    coalesce(least(mean_numerator, mean_other) < {{ var('chart_min_mean_count') }}, false) as is_sparse,
    case when mean_numerator <= mean_other then 'up' else 'down' end as rare_direction,
    case when mean_numerator <= mean_other then numerator_count else other_count end as rare_count
from counts
