with source as (
    select * from {{ source('analysis', 'text_change') }}
),

renamed as (
    select
        text_sha256,
        changed_in
    from source
)

select * from renamed
