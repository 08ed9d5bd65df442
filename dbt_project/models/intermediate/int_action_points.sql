{{ config(materialized='table') }}

-- The published months of every series that an action is meant to change, with what is needed to add them up.
-- The month of the change is neither before nor after and has no row; nor have months later than the window.
with composed as (
    select distinct
        composite_slug,
        instrument_version
    from {{ ref('composites') }}
),

measures as (
    select
        dim_measures.measure_slug,
        dim_measures.measure_version,
        dim_measures.statistic,
        dim_measures.effective_from,
        composed.composite_slug is not null as is_composite
    from {{ ref('dim_measures') }} as dim_measures
    left join composed
        on
            dim_measures.score_slug = composed.composite_slug
            and dim_measures.measure_version = composed.instrument_version
),

placed as (
    select
        concat_ws(' ', actions.action_slug, series.series_key) as series_key,
        actions.action_slug,
        series.measure_slug,
        series.theme_slug,
        series.topic_slug,
        series.organisation_slug,
        series.service_slug,
        series.measure_version,
        series.point_on,
        series.rebase_on,
        series.numerator_count,
        series.denominator_count,
        series.value,
        date_trunc('month', actions.taken_on)::date as change_month_on
    from {{ ref('actions') }} as actions
    inner join {{ ref('int_measure_series') }} as series
        on
            actions.measure_slug = series.measure_slug
            and actions.organisation_slug = series.organisation_slug
            and actions.service_slug = series.service_slug
            and actions.theme_slug is not distinct from series.theme_slug
            and actions.topic_slug is not distinct from series.topic_slug
),

-- Versions of a measure cannot be compared: the one that was in use when the action was taken counts, and of
-- two that had answers in that month the newer.
versioned as (
    select
        placed.*,
        measures.statistic,
        measures.is_composite,
        first_value(placed.measure_version) over (
            partition by
                placed.action_slug,
                placed.measure_slug,
                placed.theme_slug,
                placed.topic_slug,
                placed.organisation_slug,
                placed.service_slug
            order by
                (placed.point_on >= placed.change_month_on) asc,
                case when placed.point_on < placed.change_month_on then placed.point_on end desc nulls last,
                placed.point_on asc,
                measures.effective_from desc nulls last,
                placed.measure_version desc
        ) as counted_version
    from placed
    inner join measures
        on
            placed.measure_slug = measures.measure_slug
            and placed.measure_version = measures.measure_version
)

select
    versioned.series_key,
    versioned.action_slug,
    versioned.measure_slug,
    versioned.theme_slug,
    versioned.topic_slug,
    versioned.organisation_slug,
    versioned.service_slug,
    versioned.measure_version,
    versioned.point_on,
    versioned.rebase_on,
    versioned.point_on > versioned.change_month_on as is_after,
    versioned.point_on >= (
        versioned.change_month_on - {{ var('action_window_months') }} * interval '1 month'
    )::date as is_summed,
    versioned.numerator_count,
    versioned.denominator_count,
    versioned.value,
    versioned.statistic in ('favourable_share', 'unfavourable_share', 'neutral_share', 'theme_share')
    and not versioned.is_composite as is_proportion,
    -- The denominator of a composite is added over its items: no number of persons.
    case when versioned.is_composite then published.response_count else versioned.denominator_count end
        as observation_count,
    -- An end that was cut off at the edge of the scale is nearer to the value than the other.
    greatest(
        published.interval_high - published.measure_value, published.measure_value - published.interval_low
    ) as spread
from versioned
left join {{ ref('rpt_measures') }} as published
    on
        versioned.measure_slug = published.measure_slug
        and versioned.measure_version = published.measure_version
        and versioned.organisation_slug = published.organisation_slug
        and versioned.service_slug = published.service_slug
        and versioned.point_on = published.period_first_on
        and published.period_kind = 'month'
        and published.stratum_attribute = 'all'
where
    versioned.measure_version = versioned.counted_version
    and versioned.point_on <> versioned.change_month_on
    and versioned.point_on <= (
        versioned.change_month_on + {{ var('action_window_months') }} * interval '1 month'
    )::date
