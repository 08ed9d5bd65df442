{{ config(
    meta={
        'check_id': 'FB-DBT-001',
        'title': 'Totals of periods and organisations equal the sum of their services and of each group of patients',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A total that is not the sum of its parts is a number of nothing, and the difference gives a hidden part away.',
    }
) }}

with cells as (
    select
        tree_key,
        organisation_slug,
        part_kind,
        response_count,
        observation_count,
        favourable_sum,
        unfavourable_sum
    from {{ ref('int_score_cells_counted') }}
),

summed as (
    select
        tree_key,
        organisation_slug,
        part_kind,
        sum(response_count) as response_count,
        sum(observation_count) as observation_count,
        sum(favourable_sum) as favourable_sum,
        sum(unfavourable_sum) as unfavourable_sum
    from cells
    group by tree_key, organisation_slug, part_kind
),

parents as (
    select * from cells
    where part_kind = 'all'
),

families as (
    select
        parents.*,
        children.part_kind as child_kind,
        children.response_count as child_responses,
        children.observation_count as child_observations,
        children.favourable_sum as child_favourable,
        children.unfavourable_sum as child_unfavourable
    from parents
    left join summed as children
        on
            parents.tree_key = children.tree_key
            and parents.organisation_slug = children.organisation_slug
            and children.part_kind <> 'all'
    where parents.organisation_slug <> 'all'
    union all
    select
        totals.*,
        'organisation' as child_kind,
        sum(organisations.response_count) as child_responses,
        sum(organisations.observation_count) as child_observations,
        sum(organisations.favourable_sum) as child_favourable,
        sum(organisations.unfavourable_sum) as child_unfavourable
    from parents as totals
    left join parents as organisations
        on totals.tree_key = organisations.tree_key and organisations.organisation_slug <> 'all'
    where totals.organisation_slug = 'all'
    group by
        totals.tree_key,
        totals.organisation_slug,
        totals.part_kind,
        totals.response_count,
        totals.observation_count,
        totals.favourable_sum,
        totals.unfavourable_sum
)

select
    tree_key,
    organisation_slug,
    child_kind
from families
where
    response_count is distinct from child_responses
    or observation_count is distinct from child_observations
    or favourable_sum is distinct from child_favourable
    or unfavourable_sum is distinct from child_unfavourable
