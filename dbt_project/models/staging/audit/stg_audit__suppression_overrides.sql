with source as (
    select * from {{ source('audit', 'suppression_override') }}
),

renamed as (
    select
        -- ids
        override_id,
        attack_id,
        run_id,

        -- decision
        decision,
        override_state,
        reason,

        -- cell
        score_slug,
        score_version,
        period_kind,
        period_first_on,
        organisation_slug,
        part_kind,
        part_slug,

        -- times
        decided_at
    from source
)

select * from renamed
