{{ config(indexes=[{'columns': ['comment_id']}, {'columns': ['theme_slug']}]) }}

select
    comment_id,
    theme_slug,
    theme_confidence,
    theme_set_id,
    sentiment_score
from {{ ref('int_comments_scored') }}
where theme_state = 'assigned'
