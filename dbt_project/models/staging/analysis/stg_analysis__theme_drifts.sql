with source as (
    select * from {{ source('analysis', 'theme_drift') }}
),

renamed as (
    select
        -- ids
        run_id,
        theme_set_id,

        -- texts
        assigned_count,
        new_text_count,
        population_growth_share,

        -- fit
        unassigned_share,
        new_unassigned_share,
        baseline_unassigned_share,
        mean_similarity,
        new_mean_similarity,
        baseline_mean_similarity,
        new_dense_regions,

        -- verdict
        is_refit_proposed,
        reasons,

        -- times
        measured_at
    from source
)

select * from renamed
