{{ config(materialized='table') }}

-- The points of every chart: published monthly values alone, so that no centre line tells what a hidden month
-- held. `published` is the one place that names the reports.
with published as (
    select
        measure_slug,
        measure_version,
        null::text as theme_slug,
        null::text as topic_slug,
        organisation_slug,
        service_slug,
        period_first_on as month_start_on,
        numerator_count,
        denominator_count,
        measure_value as value
    from {{ ref('rpt_measures') }}
    where cell_state = 'value' and period_kind = 'month' and stratum_attribute = 'all'
    union all
    select
        measure_slug,
        '1' as measure_version,
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
        '1' as measure_version,
        null as theme_slug,
        topic_slug,
        organisation_slug,
        'all' as service_slug,
        month_start_on,
        numerator_count,
        denominator_count,
        share as value
    from {{ ref('int_topic_cells_published') }}
)

-- The version is part of the key: while the last questionnaires of one version come back, the next one has
-- months too, and one series would hold both.
select
    concat_ws(
        ' ',
        published.measure_slug,
        published.measure_version,
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
    published.measure_version,
    coalesce(themes.theme_label, topics.topic_label, measures.measure_label) as series_label,
    measures.better_direction,
    measures.min_responses,
    case when measures.statistic <> 'net_share' then published.numerator_count end as numerator_count,
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
inner join {{ ref('dim_measures') }} as measures
    on
        published.measure_slug = measures.measure_slug
        and published.measure_version = measures.measure_version
left join {{ ref('dim_themes') }} as themes on published.theme_slug = themes.theme_slug
left join {{ ref('dim_topics') }} as topics on published.topic_slug = topics.topic_slug
where published.month_start_on is not null
