{{ config(materialized='table') }}

-- The points of every chart: published monthly values alone, so that no centre line tells what a hidden month
-- held. `published` is the one place that names the reports.
with published as (
    select
        measure_slug,
        null::text as theme_slug,
        null::text as topic_slug,
        organisation_slug,
        service_slug,
        month_start_on,
        numerator_count,
        denominator_count,
        share as value
    from {{ ref('rpt_fft_monthly') }}
    where cell_state = 'value'
    union all
    select
        measure_slug,
        null as theme_slug,
        null as topic_slug,
        organisation_slug,
        service_slug,
        month_start_on,
        numerator_count,
        denominator_count,
        share as value
    from {{ ref('rpt_sentiment_by_service') }}
    where cell_state = 'value'
    union all
    select
        measure_slug,
        theme_slug,
        null as topic_slug,
        organisation_slug,
        'all' as service_slug,
        month_start_on,
        numerator_count,
        denominator_count,
        share as value
    from {{ ref('rpt_theme_trends_monthly') }}
    where cell_state = 'value'
    union all
    select
        measure_slug,
        null as theme_slug,
        topic_slug,
        organisation_slug,
        'all' as service_slug,
        month_start_on,
        numerator_count,
        denominator_count,
        share as value
    from {{ ref('int_topic_cells_published') }}
),

-- More of a theme or topic is neither good nor bad.
directions as (
    select
        measure_slug,
        measure_version,
        min_responses,
        case
            when measure_slug in ('fft_positive_share', 'positive_sentiment_share') then 'higher'
            when measure_slug in ('fft_negative_share', 'negative_sentiment_share') then 'lower'
            else 'none'
        end as better_direction
    from {{ ref('dim_measures') }}
)

select
    concat_ws(
        ' ',
        published.measure_slug,
        published.organisation_slug,
        published.service_slug,
        published.theme_slug,
        published.topic_slug
    ) as series_key,
    published.month_start_on as point_on,
    published.measure_slug,
    published.theme_slug,
    published.topic_slug,
    published.organisation_slug,
    published.service_slug,
    directions.measure_version,
    directions.better_direction,
    directions.min_responses,
    published.numerator_count,
    published.denominator_count,
    published.value::numeric as value,
    (
        select max(rebases.rebase_on)
        from {{ ref('chart_rebases') }} as rebases
        where
            rebases.rebase_on <= published.month_start_on
            and rebases.measure_slug = published.measure_slug
            and rebases.organisation_slug = published.organisation_slug
            and rebases.service_slug = published.service_slug
            and rebases.theme_slug is not distinct from published.theme_slug
            and rebases.topic_slug is not distinct from published.topic_slug
    ) as rebase_on
from published
inner join directions on published.measure_slug = directions.measure_slug
where published.month_start_on is not null
