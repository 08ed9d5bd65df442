with source as (
    select * from {{ source('audit', 'disclosure_attack') }}
),

renamed as (
    select
        -- ids
        attack_id,
        run_id,
        earlier_publication_id,

        -- what was attacked
        marts_slot,
        cell_count,
        suppressed_cell_count,

        -- outcome
        undecided_cell_count,
        recovered_count,

        -- times
        attacked_at
    from source
)

select * from renamed
