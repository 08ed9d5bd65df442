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

with comment_cells as (
    select
        month_start_on,
        organisation_slug,
        service_slug,
        cell_state
    from {{ ref('rpt_sentiment_by_service') }}
    union all
    select
        month_start_on,
        organisation_slug,
        'all' as service_slug,
        cell_state
    from {{ ref('rpt_theme_trends_monthly') }}
),

cells as (
    select
        'comments' as population,
        month_start_on,
        organisation_slug,
        service_slug,
        cell_state
    from comment_cells
    union all
    select
        'fft' as population,
        month_start_on,
        organisation_slug,
        service_slug,
        cell_state
    from {{ ref('rpt_fft_monthly') }}
)

select
    population,
    month_start_on,
    organisation_slug,
    service_slug
from cells
group by population, month_start_on, organisation_slug, service_slug
having min(cell_state) <> max(cell_state)
