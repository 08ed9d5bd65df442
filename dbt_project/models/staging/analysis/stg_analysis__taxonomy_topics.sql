with source as (
    select * from {{ source('analysis', 'taxonomy_topic') }}
),

renamed as (
    select
        -- ids
        topic_slug,
        taxonomy_slug,
        topic_model_version,

        -- what people declared
        taxonomy_label,
        topic_label,
        topic_description,
        topic_basis,
        is_declared,

        -- times
        declared_at
    from source
)

select * from renamed
