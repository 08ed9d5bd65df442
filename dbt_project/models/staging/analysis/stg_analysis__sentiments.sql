with source as (
    select * from {{ source('analysis', 'sentiment') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        question_intent,
        sentiment_model_version,
        encoder_version,

        -- reading
        sentiment_label,
        sentiment_score,
        sentiment_confidence,
        comment_reading,

        -- times
        scored_at
    from source
)

select * from renamed
