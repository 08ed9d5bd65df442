with kept_responses as (
    select
        organisation_slug,
        organisation_name,
        submitted_on
    from {{ ref('int_responses_kept') }}
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
        submitted_on,
        true as is_of_response
    from kept_responses
    union all
    select distinct
        organisation_slug,
        organisation_name,
        null::date as submitted_on,
        false as is_of_response
    from figures
),

names as (
    select
        organisation_slug,
        organisation_name,
        count(*) as use_count
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
        count(*) filter (where is_of_response) as response_count,
        min(submitted_on) as first_submitted_on,
        max(submitted_on) as last_submitted_on
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
