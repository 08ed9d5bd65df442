with source as (
    select * from {{ source('analysis', 'theme') }}
),

renamed as (
    select
        -- ids
        theme_slug,
        merged_into_slug,

        -- curated by people
        theme_label,
        theme_status,

        -- times
        created_at
    from source
)

select * from renamed
