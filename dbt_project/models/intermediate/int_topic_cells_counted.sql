{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods() }}",
    post_hook='analyze {{ this }}',
) }}

-- How many analysed comments of each month and organisation speak of each topic, organisation 'all' in total.
with comment_topics as (
    select distinct
        scored_comments.comment_id,
        'month' as period_kind,
        scored_comments.month_start_on as period_first_on,
        coalesce(scored_comments.organisation_slug, 'not_stated') as organisation_slug,
        mentions.topic_slug
    from {{ ref('int_comments_scored') }} as scored_comments
    inner join {{ ref('fct_topic_mentions') }} as mentions
        on scored_comments.comment_id = mentions.comment_id
    where
        scored_comments.analysis_state = 'analysed'
        and {{ is_in_period_to_build(period_kind="'month'", period_first_on='month_start_on') }}
)

select
    period_kind,
    period_first_on,
    case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end as organisation_slug,
    topic_slug,
    count(*) as mention_count
from comment_topics
group by period_kind, period_first_on, topic_slug, grouping sets ((organisation_slug), ())
