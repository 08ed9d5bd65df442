with places as (
    select * from {{ ref('int_places_counted') }}
    where organisation_slug is not null
),

figures as (
    select
        organisation_slug,
        organisation_name
    from {{ ref('stg_feedback__published_figures') }}
    where organisation_slug is not null
),

mentions as (
    select
        organisation_slug,
        organisation_name,
        response_count,
        response_count as use_count,
        first_submitted_on,
        last_submitted_on
    from places
    union all
    -- However many figures there are, they bear a name once.
    select distinct
        organisation_slug,
        organisation_name,
        0 as response_count,
        1 as use_count,
        null::date as first_submitted_on,
        null::date as last_submitted_on
    from figures
),

names as (
    select
        organisation_slug,
        organisation_name,
        sum(use_count) as use_count
    from mentions
    where organisation_name is not null
    group by organisation_slug, organisation_name
),

-- Where sources spell the name in several ways, the one that most responses bear stands.
names_by_use as (
    select distinct on (organisation_slug)
        organisation_slug,
        organisation_name
    from names
    order by organisation_slug asc, use_count desc, organisation_name asc
),

counted as (
    select
        organisation_slug,
        sum(response_count)::bigint as response_count,
        min(first_submitted_on) as first_submitted_on,
        max(last_submitted_on) as last_submitted_on
    from mentions
    group by organisation_slug
)

select
    counted.organisation_slug,
    coalesce(names_by_use.organisation_name, counted.organisation_slug) as organisation_name,
    counted.first_submitted_on,
    counted.last_submitted_on,
    counted.response_count
from counted
left join names_by_use on counted.organisation_slug = names_by_use.organisation_slug
