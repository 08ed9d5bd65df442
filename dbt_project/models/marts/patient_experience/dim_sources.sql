with deliveries as (
    select
        source_slug,
        count(*) as delivery_count
    from {{ ref('stg_landing__deliveries') }}
    group by source_slug
),

responses as (
    select
        source_slug,
        sum(response_count)::bigint as response_count,
        min(first_submitted_on) as first_submitted_on,
        max(last_submitted_on) as last_submitted_on
    from {{ ref('int_places_counted') }}
    group by source_slug
),

comments as (
    select
        source_slug,
        count(*) as comment_count,
        count(*) filter (where comment_state = 'text') as text_comment_count
    from {{ ref('int_comments_scored') }}
    group by source_slug
)

select
    deliveries.source_slug,
    deliveries.delivery_count,
    coalesce(responses.response_count, 0) as response_count,
    coalesce(comments.comment_count, 0) as comment_count,
    coalesce(comments.text_comment_count, 0) as text_comment_count,
    responses.first_submitted_on,
    responses.last_submitted_on
from deliveries
left join responses on deliveries.source_slug = responses.source_slug
left join comments on deliveries.source_slug = comments.source_slug
