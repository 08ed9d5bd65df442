with source as (
    select * from {{ source('analysis', 'serious_decision') }}
),

renamed as (
    select
        -- ids
        decision_id,
        entry_id,

        -- decision
        decision,
        decided_by,
        decision_reason,

        -- times
        decided_at
    from source
)

select * from renamed
