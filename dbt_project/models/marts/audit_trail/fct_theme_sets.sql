with lineages as (
    select
        theme_set_id,
        count(*) filter (where relation = 'kept') as matched_theme_count,
        count(distinct theme_slug) filter (where relation = 'split') as split_theme_count,
        count(*) filter (where relation = 'merged') as merged_theme_count,
        count(*) filter (where relation = 'new') as new_theme_count,
        count(*) filter (where relation = 'retired') as retired_theme_count
    from {{ ref('stg_analysis__theme_lineages') }}
    where theme_level = 'theme'
    group by theme_set_id
),

assignments as (
    select
        theme_set_id,
        count(*) filter (where theme_slug is not null) as assigned_text_count,
        count(*) filter (where theme_slug is null) as unassigned_text_count
    from {{ ref('stg_analysis__theme_assignments') }}
    group by theme_set_id
)

select
    theme_sets.theme_set_id,
    theme_sets.previous_theme_set_id,
    theme_sets.is_current,
    theme_sets.theme_model_version,
    theme_sets.encoder_version,
    theme_sets.sample_sha256,
    theme_sets.sample_count,
    theme_sets.theme_count,
    theme_sets.subtheme_count,
    coalesce(lineages.matched_theme_count, 0) as matched_theme_count,
    coalesce(lineages.split_theme_count, 0) as split_theme_count,
    coalesce(lineages.merged_theme_count, 0) as merged_theme_count,
    coalesce(lineages.new_theme_count, 0) as new_theme_count,
    coalesce(lineages.retired_theme_count, 0) as retired_theme_count,
    theme_sets.assignment_threshold,
    theme_sets.sample_mean_similarity,
    theme_sets.sample_unassigned_share,
    theme_sets.criterion,
    theme_sets.parameters,
    coalesce(assignments.assigned_text_count, 0) as assigned_text_count,
    coalesce(assignments.unassigned_text_count, 0) as unassigned_text_count,
    theme_sets.fitted_at
from {{ ref('stg_analysis__theme_sets') }} as theme_sets
left join lineages on theme_sets.theme_set_id = lineages.theme_set_id
left join assignments on theme_sets.theme_set_id = assignments.theme_set_id
