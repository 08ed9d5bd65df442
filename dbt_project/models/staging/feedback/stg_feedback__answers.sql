with source as (
    select * from {{ source('feedback', 'answer') }}
),

renamed as (
    select
        -- ids
        response_id,
        instrument_slug,
        instrument_version,
        item_slug,

        -- value
        value_number,
        value_code,
        answer_state,
        is_value_set_aside,

        -- where it came from
        delivery_id,
        record_number
    from source
)

select * from renamed
