with places as (
    select * from {{ ref('int_places_counted') }}
    where service_slug is not null
),

names as (
    select
        service_slug,
        service_name,
        sum(response_count) as use_count
    from places
    where service_name is not null
    group by service_slug, service_name
),

-- Where sources spell the name in several ways, the one that most responses bear stands.
names_by_use as (
    select distinct on (service_slug)
        service_slug,
        service_name
    from names
    order by service_slug asc, use_count desc, service_name asc
),

counted as (
    select
        service_slug,
        sum(response_count)::bigint as response_count,
        min(first_submitted_on) as first_submitted_on,
        max(last_submitted_on) as last_submitted_on
    from places
    group by service_slug
)

select
    counted.service_slug,
    coalesce(names_by_use.service_name, counted.service_slug) as service_name,
    counted.first_submitted_on,
    counted.last_submitted_on,
    counted.response_count
from counted
left join names_by_use on counted.service_slug = names_by_use.service_slug
