{{ config(
    meta={
        'check_id': 'FB-DBT-010',
        'title': 'Themes and unassigned comments of a month add up to its analysed comments',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A comment counts once: for its theme, or for none.',
    }
) }}

select
    month_start_on,
    organisation_slug
from {{ ref('rpt_theme_trends_monthly') }}
where cell_state = 'value'
group by month_start_on, organisation_slug
having sum(numerator_count) <> min(denominator_count) or min(denominator_count) <> max(denominator_count)
