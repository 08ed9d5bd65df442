{{ config(
    materialized='incremental',
    pre_hook="{{ forget('comment_id') }}",
    indexes=[{'columns': ['comment_id']}, {'columns': ['response_id']}],
    post_hook='analyze {{ this }}',
) }}

-- Which sides of partnership each analysed comment speaks of, by the topics that it mentions.
with sided_topics as (
    select
        topic_slug,
        partnership_side
    from {{ ref('partnership_topics') }}
)

select
    mentions.comment_id,
    scored_comments.response_id,
    sided_topics.partnership_side,
    scored_comments.sentiment_score,
    scored_comments.sentiment_label,
    max(mentions.topic_confidence) as side_confidence
from {{ ref('fct_topic_mentions') }} as mentions
inner join sided_topics on mentions.topic_slug = sided_topics.topic_slug
inner join {{ ref('int_comments_scored') }} as scored_comments
    on mentions.comment_id = scored_comments.comment_id
where {{ is_to_build('mentions.comment_id', 'comment_id') }}
group by
    mentions.comment_id,
    scored_comments.response_id,
    sided_topics.partnership_side,
    scored_comments.sentiment_score,
    scored_comments.sentiment_label
