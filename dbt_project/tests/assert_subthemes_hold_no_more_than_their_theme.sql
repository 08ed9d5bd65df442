{{ config(
    meta={
        'check_id': 'FB-DBT-054',
        'title': 'The subthemes of a theme hold at most its comments',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A comment counts in one theme and in one subtheme of it; more would be counted twice.',
    }
) }}

select parents.theme_slug
from {{ ref('dim_themes') }} as parents
inner join {{ ref('dim_themes') }} as subthemes on parents.theme_slug = subthemes.parent_theme_slug
group by parents.theme_slug, parents.comment_count
having sum(subthemes.comment_count) > parents.comment_count
