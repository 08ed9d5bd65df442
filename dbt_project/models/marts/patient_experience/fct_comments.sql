{{ config(
    materialized='incremental',
    pre_hook="{{ forget('comment_id') }}",
    indexes=[
        {'columns': ['comment_id']},
        {'columns': ['response_id']},
        {'columns': ['submitted_on']},
    ],
) }}

select
    comment_id,
    response_id,
    source_slug,
    source_record_ref,
    organisation_slug,
    service_slug,
    submitted_on,
    submitted_on_basis,
    question_slug,
    question_intent,
    comment_state,
    analysis_state,
    language_code,
    language_basis,
    comment_text,
    redaction_count,
    sentiment_label,
    sentiment_score,
    sentiment_confidence,
    sentiment_model_version,
    comment_reading,
    is_at_odds_with_rating,
    theme_state,
    theme_slug as primary_theme_slug,
    encoder_version as embedding_model_version,
    delivery_id
from {{ ref('int_comments_scored') }}
where {{ is_to_build('comment_id', 'comment_id') }}
