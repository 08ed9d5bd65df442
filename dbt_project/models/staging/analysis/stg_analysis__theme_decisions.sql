with source as (
    select * from {{ source('analysis', 'theme_decision') }}
),

renamed as (
    select
        -- ids
        decision_id,
        theme_slug,
        merged_into_slug,

        -- decision
        decision,
        theme_label,
        decided_by,
        decision_reason,

        -- times
        decided_at
    from source
)

select * from renamed
