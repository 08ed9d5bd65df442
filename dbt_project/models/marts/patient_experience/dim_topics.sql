with mentions as (
    select
        topic_slug,
        count(*) as comment_count
    from {{ ref('fct_topic_mentions') }}
    group by topic_slug
),

main_sides as (
    select
        topic_slug,
        partnership_side
    from {{ ref('partnership_topics') }}
    where is_main_side
)

select
    topics.topic_slug,
    topics.topic_label,
    topics.topic_group,
    topics.taxonomy_slug,
    topics.taxonomy_label,
    main_sides.partnership_side,
    topics.description,
    topics.topic_basis,
    topics.is_predicted,
    -- No count where the model cannot find the topic: 0 would say that nobody spoke of it.
    case
        when topics.is_predicted or mentions.comment_count > 0 then coalesce(mentions.comment_count, 0)
    end as comment_count
from {{ ref('int_topics_declared') }} as topics
left join mentions on topics.topic_slug = mentions.topic_slug
left join main_sides on topics.topic_slug = main_sides.topic_slug
