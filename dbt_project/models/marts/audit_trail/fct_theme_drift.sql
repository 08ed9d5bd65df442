select
    run_id,
    theme_set_id,
    assigned_count,
    new_text_count,
    population_growth_share,
    unassigned_share,
    new_unassigned_share,
    baseline_unassigned_share,
    mean_similarity,
    new_mean_similarity,
    baseline_mean_similarity,
    jsonb_array_length(new_dense_regions) as new_dense_region_count,
    new_dense_regions,
    is_refit_proposed,
    array_to_string(reasons, ', ') as refit_reasons,
    measured_at
from {{ ref('stg_analysis__theme_drifts') }}
