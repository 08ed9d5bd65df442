with source as (
    select * from {{ source('landing', 'record') }}
),

renamed as (
    select
        -- ids
        delivery_id,
        record_number,

        -- state; the payload is original text and stays in landing
        record_state,
        defects
    from source
)

select * from renamed
