with source as (
    select * from {{ source('analysis', 'embedding') }}
),

renamed as (
    select
        -- the vector stays in analysis: marts need to know that it exists, not what it holds
        text_sha256,
        encoder_version,
        embedded_at
    from source
)

select * from renamed
