{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods() }}",
    post_hook='analyze {{ this }}',
) }}

-- How many comments of each day are in each theme and subtheme; theme null: how many there are in all.
with comments as (
    select
        'month' as period_kind,
        month_start_on as period_first_on,
        submitted_on,
        analysis_state = 'analysed' as is_analysed,
        case when theme_state = 'assigned' then array_remove(array[theme_slug, subtheme_slug], null) end
            as theme_slugs
    from {{ ref('int_comments_scored') }}
    where {{ is_in_period_to_build(period_kind="'month'", period_first_on='month_start_on') }}
),

-- A comment is counted once for its theme, once for its subtheme, once for all.
places as (
    select
        comments.*,
        placed.theme_slug
    from comments
    cross join lateral unnest(array_append(comments.theme_slugs, null)) as placed (theme_slug)
)

select
    period_kind,
    period_first_on,
    submitted_on,
    theme_slug,
    count(*) as comment_count,
    count(*) filter (where is_analysed) as analysed_count
from places
group by period_kind, period_first_on, submitted_on, theme_slug
