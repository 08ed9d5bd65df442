with source as (
    select * from {{ source('audit', 'check_definition') }}
),

renamed as (
    select
        -- ids
        check_id,

        -- what is checked
        tool,
        gate,
        checked_table,
        dimension,
        title,
        why,

        -- what follows
        severity,
        effect,
        owner,
        is_active
    from source
)

select * from renamed
