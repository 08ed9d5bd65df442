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
    topics.is_predicted,
    -- No count where the model cannot find the topic: 0 would say that nobody spoke of it.
    case
        when topics.is_predicted or mentions.comment_count > 0 then coalesce(mentions.comment_count, 0)
    end as comment_count
from {{ ref('topics') }} as topics
left join mentions on topics.topic_slug = mentions.topic_slug
