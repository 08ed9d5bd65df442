{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Every score counted per month and service, and per reporting year, service and group of patients. Part
-- 'all' is the organisation, organisation 'all' the total. Every part has a cell in every period that its
-- score has, so that a month without answers is a 0. Responses without a date are a period of their own.
with observations as (
    select * from {{ ref('int_observations_gathered') }}
),

counted as (
    select
        score_slug,
        score_version,
        case when grouping(month_start_on) = 0 then 'month' else 'year' end as period_kind,
        case when grouping(month_start_on) = 0 then month_start_on else year_start_on end as period_first_on,
        organisation_slug,
        {{ counted_part_kind() }} as part_kind,
        coalesce(service_slug, {{ patient_attributes() | join(', ') }}) as part_slug,
        count(*) as response_count,
        {{ added_score_sums() }}
    from observations
    group by
        score_slug, score_version, organisation_slug, grouping sets ({{ counted_parts() }})
),

dated as (
    select * from counted
    where period_kind = 'month' or period_first_on is not null
),

periods as (
    select distinct
        score_slug,
        score_version,
        period_kind,
        period_first_on
    from dated
),

parts as (
    select distinct
        score_slug,
        score_version,
        period_kind,
        organisation_slug,
        part_kind,
        part_slug
    from dated
),

filled as (
    select
        periods.score_slug,
        periods.score_version,
        periods.period_kind,
        periods.period_first_on,
        parts.organisation_slug,
        parts.part_kind,
        parts.part_slug,
        coalesce(dated.response_count, 0) as response_count,
        {{ filled_score_sums('dated') }}
    from periods
    inner join parts
        on
            periods.score_slug = parts.score_slug
            and periods.score_version = parts.score_version
            and periods.period_kind = parts.period_kind
    left join dated
        on
            periods.score_slug = dated.score_slug
            and periods.score_version = dated.score_version
            and periods.period_kind = dated.period_kind
            and coalesce(periods.period_first_on, '-infinity'::date)
            = coalesce(dated.period_first_on, '-infinity'::date)
            and parts.organisation_slug = dated.organisation_slug
            and parts.part_kind = dated.part_kind
            and parts.part_slug = dated.part_slug
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
    rolled_up.score_slug || ' ' || rolled_up.score_version || ' ' || rolled_up.period_kind || ' '
    || coalesce(rolled_up.period_first_on::text, 'undated') as tree_key
from rolled_up
inner join {{ ref('int_scores_ruled') }} as scores
    on
        rolled_up.score_slug = scores.score_slug
        and rolled_up.score_version = scores.score_version
