with members as (
    select
        theme_set_id,
        count(*) filter (where matched_theme_slug is not null) as matched_theme_count
    from {{ ref('stg_analysis__theme_set_members') }}
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
    coalesce(members.matched_theme_count, 0) as matched_theme_count,
    theme_sets.assignment_threshold,
    theme_sets.parameters,
    coalesce(assignments.assigned_text_count, 0) as assigned_text_count,
    coalesce(assignments.unassigned_text_count, 0) as unassigned_text_count,
    theme_sets.fitted_at
from {{ ref('stg_analysis__theme_sets') }} as theme_sets
left join members on theme_sets.theme_set_id = members.theme_set_id
left join assignments on theme_sets.theme_set_id = assignments.theme_set_id
