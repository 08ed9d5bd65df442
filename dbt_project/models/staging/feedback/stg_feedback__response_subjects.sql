with source as (
    select * from {{ source('feedback', 'response_subject') }}
),

renamed as (
    select
        -- ids
        response_id,
        source_slug,
        source_record_ref,

        -- subject
        subject_slug,
        subject_label,

        -- where it came from
        delivery_id,
        record_number
    from source
)

select * from renamed
