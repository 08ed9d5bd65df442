{{ config(
    meta={
        'check_id': 'FB-DBT-003',
        'title': 'A cell that one measure or report hides is shown by no other',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'Measures of one cell share their count: what one hides the other would tell.',
    }
) }}

with cells as (
    select
        definitions.score_slug || ' ' || definitions.measure_version as population,
        measures.period_kind,
        measures.period_first_on,
        measures.organisation_slug,
        measures.service_slug,
        measures.stratum_attribute,
        measures.stratum,
        measures.cell_state
    from {{ ref('rpt_measures') }} as measures
    inner join {{ ref('dim_measures') }} as definitions
        on
            measures.measure_slug = definitions.measure_slug
            and measures.measure_version = definitions.measure_version
    union all
    select
        'comment_sentiment 1' as population,
        'month' as period_kind,
        month_start_on as period_first_on,
        organisation_slug,
        'all' as service_slug,
        'all' as stratum_attribute,
        'all' as stratum,
        cell_state
    from {{ ref('rpt_theme_trends_monthly') }}
)

select
    population,
    period_kind,
    period_first_on,
    organisation_slug,
    service_slug,
    stratum_attribute,
    stratum
from cells
group by 1, 2, 3, 4, 5, 6, 7
having min(cell_state) <> max(cell_state)
