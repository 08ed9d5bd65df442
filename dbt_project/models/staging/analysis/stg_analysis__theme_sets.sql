with source as (
    select * from {{ source('analysis', 'theme_set') }}
),

renamed as (
    select
        -- ids
        theme_set_id,
        theme_model_version,
        encoder_version,
        sample_sha256,
        previous_theme_set_id,

        -- fit
        sample_count,
        theme_count,
        subtheme_count,
        assignment_threshold,
        sample_mean_similarity,
        sample_unassigned_share,
        criterion,
        parameters,

        -- state
        is_current,

        -- times
        fitted_at
    from source
)

select * from renamed
