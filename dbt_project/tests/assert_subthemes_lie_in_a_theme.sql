{{ config(
    meta={
        'check_id': 'FB-DBT-053',
        'title': 'Every subtheme lies in a listed theme, and no theme in another',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A reader who adds up subthemes under their theme must meet every one, and each once.',
    }
) }}

select subthemes.theme_slug
from {{ ref('dim_themes') }} as subthemes
left join {{ ref('dim_themes') }} as parents
    on subthemes.parent_theme_slug = parents.theme_slug and parents.theme_level = 'theme'
where
    (subthemes.theme_level = 'subtheme') <> (subthemes.parent_theme_slug is not null)
    or (subthemes.parent_theme_slug is not null and parents.theme_slug is null)
