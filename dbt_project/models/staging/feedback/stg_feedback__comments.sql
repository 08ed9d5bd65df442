with source as (
    select * from {{ source('feedback', 'comment') }}
),

renamed as (
    select
        -- ids
        comment_id,
        response_id,
        source_slug,
        source_record_ref,
        text_sha256,

        -- question
        question_slug,
        question_intent,

        -- text
        comment_state,
        comment_text,
        declared_language_code,
        redaction_count,
        redaction_version,

        -- where it came from
        delivery_id,
        record_number
    from source
)

select * from renamed
