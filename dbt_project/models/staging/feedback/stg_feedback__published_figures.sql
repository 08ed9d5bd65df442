with source as (
    select * from {{ source('feedback', 'published_figure') }}
),

renamed as (
    select
        -- ids
        figure_id,
        source_slug,
        source_record_ref,
        measure_slug,

        -- what it is about
        organisation_slug,
        organisation_name,
        site_slug,
        site_name,
        service_slug,
        service_name,
        is_total,
        period_first_on,
        period_last_on,

        -- figure
        value_number as figure_value,
        unit as figure_unit,
        figure_state,
        is_value_set_aside,
        respondent_count,
        respondent_band,
        source_metadata,

        -- where it came from
        delivery_id,
        record_number
    from source
)

select * from renamed
