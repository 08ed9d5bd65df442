with source as (
    select * from {{ source('analysis', 'topic_mention') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        question_intent,
        topic_model_version,
        topic_slug,

        -- reading
        topic_confidence
    from source
)

select * from renamed
