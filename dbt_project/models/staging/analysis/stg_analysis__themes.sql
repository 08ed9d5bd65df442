with source as (
    select * from {{ source('analysis', 'theme') }}
),

renamed as (
    select
        -- ids
        theme_slug,
        parent_theme_slug,
        merged_into_slug,
        follows_slug,

        -- place
        theme_level,

        -- curated by people
        theme_label,
        theme_status,

        -- times
        created_at
    from source
)

select * from renamed
