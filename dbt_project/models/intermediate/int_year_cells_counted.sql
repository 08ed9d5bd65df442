{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Yearly cells, and whether the year less its shown months would give its hidden months away: what is left
-- of the year must be two months or more with enough responses, neither all nor none of them favourable.
with cells as (
    select * from {{ ref('int_score_cells_counted') }}
),

hidden_months as (
    select
        cells.score_slug,
        cells.score_version,
        {{ reporting_year_of('cells.period_first_on') }} as year_first_on,
        cells.organisation_slug,
        cells.part_slug,
        count(*) as month_count,
        sum(cells.response_count) as response_count,
        max(cells.response_count) as largest_response_count,
        sum(cells.observation_count) as observation_count,
        sum(cells.favourable_sum) as favourable_sum,
        sum(cells.unfavourable_sum) as unfavourable_sum
    from cells
    inner join {{ ref('int_month_cells_suppressed') }} as flags
        on
            cells.tree_key = flags.tree_key
            and cells.organisation_slug = flags.organisation_slug
            and cells.part_kind = flags.part_kind
            and cells.part_slug = flags.part_slug
    where
        cells.period_kind = 'month'
        and cells.period_first_on is not null
        and flags.is_suppressed
        and cells.response_count > 0
    group by 1, 2, 3, 4, 5
)

select
    years.tree_key,
    years.organisation_slug,
    years.part_kind,
    years.part_slug,
    years.response_count,
    years.observation_count,
    years.favourable_sum,
    years.unfavourable_sum,
    years.min_responses,
    years.has_classes,
    coalesce(
        not (
            hidden_months.month_count >= 2
            and hidden_months.response_count >= years.min_responses
            and hidden_months.largest_response_count > 1
            and (
                not years.has_classes
                or (
                    hidden_months.favourable_sum > 0
                    and hidden_months.favourable_sum < hidden_months.observation_count
                    and hidden_months.unfavourable_sum > 0
                    and hidden_months.unfavourable_sum < hidden_months.observation_count
                )
            )
        ),
        false
    ) as gives_months_away
from cells as years
left join hidden_months
    on
        years.part_kind in ('all', 'service')
        and years.score_slug = hidden_months.score_slug
        and years.score_version = hidden_months.score_version
        and years.period_first_on = hidden_months.year_first_on
        and years.organisation_slug = hidden_months.organisation_slug
        and years.part_slug = hidden_months.part_slug
where years.period_kind = 'year'
