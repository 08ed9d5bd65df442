{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods() }}",
    post_hook='analyze {{ this }}',
) }}

-- The three comments of a period that speak most clearly of a theme, a topic or a side of partnership.
with places as (
    select
        comment_id,
        response_id,
        theme_slug,
        theme_confidence,
        'month' as period_kind,
        month_start_on as period_first_on,
        coalesce(organisation_slug, 'not_stated') as organisation_slug,
        coalesce(service_slug, 'not_stated') as service_slug
    from {{ ref('int_comments_scored') }}
    where
        month_start_on is not null
        and {{ is_in_period_to_build(period_kind="'month'", period_first_on='month_start_on') }}
),

mentions as (
    select
        comment_id,
        'theme' as subject_kind,
        theme_slug as subject,
        theme_confidence as confidence
    from places
    where theme_slug is not null
    union all
    select
        mentions.comment_id,
        'topic' as subject_kind,
        mentions.topic_slug as subject,
        mentions.topic_confidence as confidence
    from {{ ref('fct_topic_mentions') }} as mentions
    union all
    select
        sides.comment_id,
        'side' as subject_kind,
        sides.partnership_side as subject,
        sides.side_confidence as confidence
    from {{ ref('int_sides_mentioned') }} as sides
),

-- The three of an organisation are among those of its services, and the three of all among theirs.
placed as (
    select
        mentions.*,
        places.period_kind,
        places.period_first_on,
        places.organisation_slug,
        places.service_slug,
        row_number() over (
            partition by
                mentions.subject_kind,
                mentions.subject,
                places.period_first_on,
                places.organisation_slug,
                places.service_slug
            order by mentions.confidence desc, mentions.comment_id asc
        ) as place_in_service
    from mentions
    inner join places on mentions.comment_id = places.comment_id
),

ranked as (
    select
        placed.subject_kind,
        placed.subject,
        placed.comment_id,
        placed.period_kind,
        placed.period_first_on,
        areas.organisation_slug,
        areas.service_slug,
        row_number() over (
            partition by
                placed.subject_kind,
                placed.subject,
                placed.period_first_on,
                areas.organisation_slug,
                areas.service_slug
            order by placed.confidence desc, placed.comment_id asc
        ) as place
    from placed
    cross join
        lateral (
            values
            ('all', 'all'),
            (placed.organisation_slug, 'all'),
            (placed.organisation_slug, placed.service_slug)
        ) as areas (organisation_slug, service_slug)
    -- Themes and topics are reported by organisation alone.
    where placed.place_in_service <= 3 and (placed.subject_kind = 'side' or areas.service_slug = 'all')
)

select
    subject_kind,
    subject,
    period_kind,
    period_first_on,
    organisation_slug,
    service_slug,
    string_agg(comment_id, ', ' order by place) as comment_ids
from ranked
where place <= 3
group by subject_kind, subject, period_kind, period_first_on, organisation_slug, service_slug
