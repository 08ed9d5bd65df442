select
    lineages.theme_set_id,
    theme_sets.previous_theme_set_id,
    lineages.theme_level,
    lineages.previous_theme_slug,
    lineages.theme_slug,
    lineages.relation,
    lineages.shared_member_share,
    lineages.similarity,
    theme_sets.is_current,
    theme_sets.fitted_at
from {{ ref('stg_analysis__theme_lineages') }} as lineages
inner join {{ ref('stg_analysis__theme_sets') }} as theme_sets
    on lineages.theme_set_id = theme_sets.theme_set_id
