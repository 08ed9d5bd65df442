{{ config(
    meta={
        'check_id': 'FB-DBT-001',
        'title': 'Totals of months and organisations equal the sum of their services',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A total that is not the sum of its parts is a number of nothing, and the difference gives a hidden part away.',
    }
) }}

with cells as (
    select
        'fft' as report,
        month_start_on,
        organisation_slug,
        service_slug,
        response_count,
        positive_count,
        negative_count
    from {{ ref('int_fft_cells_counted') }}
    union all
    select
        'comments' as report,
        month_start_on,
        organisation_slug,
        service_slug,
        comment_count,
        positive_count,
        negative_count
    from {{ ref('int_comment_cells_counted') }}
),

organisation_sums as (
    select
        report,
        month_start_on,
        organisation_slug,
        sum(response_count) filter (where service_slug = 'all')
        - sum(response_count) filter (where service_slug <> 'all') as response_difference,
        sum(positive_count) filter (where service_slug = 'all')
        - sum(positive_count) filter (where service_slug <> 'all') as positive_difference,
        sum(negative_count) filter (where service_slug = 'all')
        - sum(negative_count) filter (where service_slug <> 'all') as negative_difference
    from cells
    where organisation_slug <> 'all'
    group by report, month_start_on, organisation_slug
),

month_sums as (
    select
        report,
        month_start_on,
        'all' as organisation_slug,
        sum(response_count) filter (where organisation_slug = 'all')
        - sum(response_count) filter (where organisation_slug <> 'all') as response_difference,
        sum(positive_count) filter (where organisation_slug = 'all')
        - sum(positive_count) filter (where organisation_slug <> 'all') as positive_difference,
        sum(negative_count) filter (where organisation_slug = 'all')
        - sum(negative_count) filter (where organisation_slug <> 'all') as negative_difference
    from cells
    where service_slug = 'all'
    group by report, month_start_on
),

differences as (
    select * from organisation_sums
    union all
    select * from month_sums
)

select
    report,
    month_start_on,
    organisation_slug
from differences
where
    coalesce(response_difference, 1) <> 0
    or coalesce(positive_difference, 1) <> 0
    or coalesce(negative_difference, 1) <> 0
