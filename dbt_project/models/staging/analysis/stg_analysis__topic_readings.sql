with source as (
    select * from {{ source('analysis', 'topic_reading') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        question_intent,
        topic_model_version,
        encoder_version,

        -- reading
        topic_count,

        -- times
        scored_at
    from source
)

select * from renamed
