with source as (
    select * from {{ source('analysis', 'segment_sentiment') }}
),

renamed as (
    select
        -- ids
        text_sha256,
        question_intent,
        sentiment_model_version,
        segment_index,

        -- reading
        sentiment_label,
        sentiment_score,
        sentiment_confidence
    from source
)

select * from renamed
