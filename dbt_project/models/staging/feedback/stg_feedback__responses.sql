with source as (
    select * from {{ source('feedback', 'response') }}
),

renamed as (
    select
        -- ids
        response_id,
        source_slug,
        source_record_ref,
        record_version,
        respondent_id,
        delivery_id,

        -- where
        organisation_slug,
        organisation_name,
        site_slug,
        site_name,
        service_slug,
        service_name,
        channel_slug,

        -- who
        language_code,
        age_band,
        sex,
        ethnic_group,
        deprivation_quintile,
        preferred_language,
        has_disability,

        -- state
        is_withdrawn,
        submitted_on_basis,
        submitted_on_note,

        -- times
        submitted_on,
        submitted_at,
        received_at,

        -- what only one source has
        source_metadata
    from source
)

select * from renamed
