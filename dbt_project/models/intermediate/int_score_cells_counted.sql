{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Every score counted per period, and in each by service and by group of patients. Part 'all' is the
-- organisation, organisation 'all' the total. Every part has a cell in every period that its score has, so
-- that a month without answers is a 0. Responses without a date are a period of their own. A score has
-- months or years, never both: each would give hidden cells of the other away.
with counted as (
    select * from {{ ref('int_score_cells_summed') }}
),

periods as (
    select distinct
        score_slug,
        score_version,
        period_kind,
        period_first_on
    from counted
),

parts as (
    select distinct
        score_slug,
        score_version,
        period_kind,
        organisation_slug,
        part_kind,
        part_slug
    from counted
),

-- Zeros are added to what is counted, not joined: the planner cannot know how many groups there are.
not_counted as (
    select
        periods.score_slug,
        periods.score_version,
        periods.period_kind,
        periods.period_first_on,
        parts.organisation_slug,
        parts.part_kind,
        parts.part_slug
    from periods
    inner join parts
        on
            periods.score_slug = parts.score_slug
            and periods.score_version = parts.score_version
            and periods.period_kind = parts.period_kind
    except
    select
        score_slug,
        score_version,
        period_kind,
        period_first_on,
        organisation_slug,
        part_kind,
        part_slug
    from counted
),

filled as (
    select
        score_slug,
        score_version,
        period_kind,
        period_first_on,
        organisation_slug,
        part_kind,
        part_slug,
        response_count,
        {{ score_sums() | join(', ') }}
    from counted
    union all
    select
        not_counted.*,
        0 as response_count,
        {{ no_score_sums() }}
    from not_counted
),

rolled_up as (
    select * from filled
    union all
    select
        score_slug,
        score_version,
        period_kind,
        period_first_on,
        case when grouping(organisation_slug) = 1 then 'all' else organisation_slug end as organisation_slug,
        'all' as part_kind,
        'all' as part_slug,
        sum(response_count)::bigint as response_count,
        {{ added_score_sums() }}
    from filled
    where part_kind = 'service'
    group by
        score_slug, score_version, period_kind, period_first_on,
        grouping sets ((organisation_slug), ())
)

select
    rolled_up.*,
    scores.min_responses,
    scores.has_classes,
    scores.is_side,
    rolled_up.score_slug || ' ' || rolled_up.score_version || ' ' || rolled_up.period_kind || ' '
    || coalesce(rolled_up.period_first_on::text, 'undated') as tree_key
from rolled_up
inner join {{ ref('int_scores_ruled') }} as scores
    on
        rolled_up.score_slug = scores.score_slug
        and rolled_up.score_version = scores.score_version
