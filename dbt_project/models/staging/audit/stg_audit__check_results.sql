with source as (
    select * from {{ source('audit', 'check_result') }}
),

renamed as (
    select
        -- ids
        check_result_id,
        run_id,
        check_id,

        -- what was checked
        tool,
        gate,
        checked_subject,

        -- outcome
        outcome,
        severity,
        effect,
        evaluated_count,
        unexpected_count,
        outcome_note,

        -- times
        checked_at
    from source
)

select * from renamed
