with source as (
    select * from {{ source('analysis', 'theme_set_member') }}
),

renamed as (
    select
        -- ids
        theme_set_id,
        theme_slug,
        parent_theme_slug,
        matched_theme_slug,

        -- reading
        theme_level,
        theme_keywords,
        sample_member_count,
        match_similarity
    from source
)

select * from renamed
