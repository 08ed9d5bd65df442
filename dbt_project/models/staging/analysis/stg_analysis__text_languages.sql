with source as (
    select * from {{ source('analysis', 'text_language') }}
),

renamed as (
    select
        text_sha256,
        language_code,
        language_confidence,
        language_basis,
        detector_version
    from source
)

select * from renamed
