{{ config(indexes=[{'columns': ['comment_id']}]) }}

-- int_comments_scored decides what is at odds.
select
    comment_id,
    response_id,
    source_slug,
    organisation_slug,
    service_slug,
    submitted_on,
    question_intent,
    rating_class,
    sentiment_label,
    sentiment_score,
    sentiment_confidence,
    sentiment_model_version,
    case
        when sentiment_label in ('negative', 'very_negative') then 'positive_rating_negative_text'
        else 'negative_rating_positive_text'
    end as direction
from {{ ref('int_comments_scored') }}
where is_at_odds_with_rating
