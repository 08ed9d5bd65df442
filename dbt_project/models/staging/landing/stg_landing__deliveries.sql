with source as (
    select * from {{ source('landing', 'delivery') }}
),

renamed as (
    select
        -- ids
        delivery_id,
        source_slug,
        file_sha256,
        declaration_sha256,

        -- file
        file_name,
        file_size_bytes,
        encoding,
        is_declared_encoding,
        missing_columns,
        unknown_columns,

        -- state
        delivery_state,
        refusal_reason,
        received_count,
        source_count,
        extracted_count,

        -- times
        file_modified_at,
        landed_at,
        decided_at,
        last_seen_at
    from source
)

select * from renamed
