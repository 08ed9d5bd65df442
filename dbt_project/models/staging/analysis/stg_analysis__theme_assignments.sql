with source as (
    select * from {{ source('analysis', 'theme_assignment') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        theme_set_id,
        theme_slug,
        subtheme_slug,

        -- reading
        theme_confidence
    from source
)

select * from renamed
