with source as (
    select * from {{ source('audit', 'publication') }}
),

renamed as (
    select
        -- ids
        publication_id,
        run_id,
        theme_set_id,
        feedback_ledger_id,

        -- state
        marts_slot,
        is_current,

        -- times
        published_at
    from source
)

select * from renamed
