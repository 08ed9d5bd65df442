with source as (
    select * from {{ source('audit', 'ledger') }}
),

renamed as (
    select
        -- ids
        ledger_id,
        run_id,

        -- what happened
        action,
        subject,
        actor,
        row_count,
        details,

        -- chain
        previous_sha256,
        entry_sha256,

        -- times
        happened_at
    from source
)

select * from renamed
