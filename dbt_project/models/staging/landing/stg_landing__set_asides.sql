with source as (
    select * from {{ source('landing', 'set_aside') }}
),

renamed as (
    select
        -- ids
        set_aside_id,
        delivery_id,
        record_number,
        check_id,
        run_id,

        -- what is kept back
        set_aside_level,
        field_name,
        reason,
        set_aside_state,

        -- decision of a person
        decided_by,
        decision_reason,

        -- times
        set_aside_at,
        decided_at
    from source
)

select * from renamed
