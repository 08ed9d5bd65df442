with mentions as (
    select
        topic_slug,
        count(*) as comment_count
    from {{ ref('fct_topic_mentions') }}
    group by topic_slug
)

select
    topics.topic_slug,
    topics.topic_label,
    topics.topic_group,
    topics.partnership_side,
    topics.description,
    coalesce(mentions.comment_count, 0) as comment_count
from {{ ref('topics') }} as topics
left join mentions on topics.topic_slug = mentions.topic_slug
