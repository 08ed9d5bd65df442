with source as (
    select * from {{ source('analysis', 'theme_lineage') }}
),

renamed as (
    select
        -- ids
        theme_set_id,
        previous_theme_slug,
        theme_slug,

        -- reading
        theme_level,
        relation,
        shared_member_share,
        similarity
    from source
)

select * from renamed
