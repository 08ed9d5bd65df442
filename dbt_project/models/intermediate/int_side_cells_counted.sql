{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- How many analysed comments of each cell speak of each side of partnership, and of how many people; cells
-- without any have no row.
with places as (
    select *
    from {{ ref('int_observations_gathered') }}
    where score_slug = 'comment_sentiment'
),

mentioned as (
    select
        places.*,
        sides.partnership_side
    from {{ ref('int_sides_mentioned') }} as sides
    inner join places on sides.response_id = places.response_id
),

counted as (
    select
        partnership_side,
        period_kind,
        period_first_on,
        organisation_slug,
        {{ counted_part_kind() }} as part_kind,
        coalesce(service_slug, {{ patient_attributes() | join(', ') }}) as part_slug,
        count(*) as mention_count,
        count(distinct response_id) as response_count
    from mentioned
    group by
        partnership_side,
        period_kind,
        period_first_on,
        organisation_slug,
        grouping sets ({{ counted_parts() }})
)

select
    partnership_side,
    period_kind,
    period_first_on,
    organisation_slug,
    part_kind,
    part_slug,
    mention_count,
    response_count
from counted
union all
select
    partnership_side,
    period_kind,
    period_first_on,
    case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end as organisation_slug,
    'all' as part_kind,
    'all' as part_slug,
    sum(mention_count)::bigint as mention_count,
    sum(response_count)::bigint as response_count
from counted
where part_kind = 'service'
group by partnership_side, period_kind, period_first_on, grouping sets ((organisation_slug), ())
