{{ config(
    materialized='incremental',
    pre_hook="{{ forget('comment_id') }}",
    indexes=[{'columns': ['comment_id']}, {'columns': ['topic_slug']}],
) }}

with current_topic_mentions as (
    select
        mentions.text_sha256,
        mentions.question_intent,
        mentions.topic_slug,
        mentions.topic_confidence,
        mentions.topic_model_version,
        topics.taxonomy_slug
    from {{ ref('stg_analysis__topic_mentions') }} as mentions
    inner join {{ ref('int_topic_models_selected') }} as models
        on mentions.topic_model_version = models.topic_model_version
    left join {{ ref('int_topics_declared') }} as topics on mentions.topic_slug = topics.topic_slug
)

select
    analysed_comments.comment_id,
    current_topic_mentions.topic_slug,
    current_topic_mentions.taxonomy_slug,
    current_topic_mentions.topic_confidence,
    current_topic_mentions.topic_model_version
from {{ ref('int_comments_scored') }} as analysed_comments
inner join current_topic_mentions
    on
        analysed_comments.text_sha256 = current_topic_mentions.text_sha256
        and analysed_comments.question_intent = current_topic_mentions.question_intent
where
    analysed_comments.analysis_state = 'analysed'
    and {{ is_to_build('analysed_comments.comment_id', 'comment_id') }}
