with source as (
    select * from {{ source('analysis', 'serious_reading') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        detector_version,

        -- reading
        language_code,
        reading_basis,
        category_count,

        -- times
        read_at
    from source
)

select * from renamed
