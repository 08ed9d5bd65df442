{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Every counted cell, where it stands in a report, and whether it must not be published.
with counted as (
    select * from {{ ref('int_score_cells_counted') }}
),

flags as (
    select * from {{ ref('int_score_cells_suppressed') }}
    union all
    select * from {{ ref('int_side_cells_suppressed') }}
)

select
    counted.score_slug,
    counted.score_version,
    counted.period_kind,
    counted.period_first_on,
    (
        counted.period_first_on
        + case counted.period_kind when 'month' then interval '1 month' else interval '1 year' end
        - interval '1 day'
    )::date as period_last_on,
    counted.organisation_slug,
    counted.part_kind,
    counted.part_slug,
    case when counted.part_kind = 'service' then counted.part_slug else 'all' end as service_slug,
    case when counted.part_kind = 'service' then 'all' else counted.part_kind end as stratum_attribute,
    case when counted.part_kind = 'service' then 'all' else counted.part_slug end as stratum,
    counted.response_count,
    {{ score_sums_of('counted') }},
    counted.min_responses,
    flags.is_suppressed
from counted
inner join flags
    on
        counted.tree_key = flags.tree_key
        and counted.organisation_slug = flags.organisation_slug
        and counted.part_kind = flags.part_kind
        and counted.part_slug = flags.part_slug
