with source as (
    select * from {{ source('analysis', 'serious_entry') }}
),

renamed as (
    select
        -- ids
        entry_id,
        comment_id,
        response_id,
        detector_version,

        -- reading
        category,
        basis
    from source
)

select * from renamed
