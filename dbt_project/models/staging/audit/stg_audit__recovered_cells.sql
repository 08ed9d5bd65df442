with source as (
    select * from {{ source('audit', 'recovered_cell') }}
),

renamed as (
    select
        -- ids
        recovered_cell_id,
        attack_id,

        -- what was recovered, and how
        array_to_string(reports, ', ') as reports,
        quantity,
        recovery,
        edition,

        -- cell; a measure that is attacked on its own has its name behind a stroke
        split_part(split_part(family_slug, '/', 1), ' ', 1) as score_slug,
        split_part(split_part(family_slug, '/', 1), ' ', 2) as score_version,
        period_kind,
        period_first_on,
        organisation_slug,
        service_slug,
        stratum_attribute,
        stratum
    from source
)

select * from renamed
