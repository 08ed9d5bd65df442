{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods('int_periods_reported') }}",
    indexes=[{'columns': ['measure_slug', 'organisation_slug', 'stratum_attribute']}],
) }}

with strata as (
    select
        measures.*,
        measures.measure_value as value,
        measures.interval_low as low,
        measures.interval_high as high,
        definitions.better_direction,
        definitions.statistic
    from {{ ref('rpt_measures') }} as measures
    inner join {{ ref('dim_measures') }} as definitions
        on
            measures.measure_slug = definitions.measure_slug
            and measures.measure_version = definitions.measure_version
    where
        measures.stratum_attribute <> 'all'
        and measures.period_first_on is not null
        and {{ is_in_period_to_build('int_periods_reported') }}
),

totals as (
    select
        measure_slug,
        measure_version,
        period_first_on,
        organisation_slug,
        response_count
    from {{ ref('rpt_measures') }}
    where stratum_attribute = 'all' and service_slug = 'all' and period_first_on is not null
),

-- The group that the seed names; where the organisation has nobody of it, the largest shown one.
ranked as (
    select
        strata.*,
        totals.response_count as total_response_count,
        first_value(strata.stratum) over preferred as reference_stratum,
        max(strata.response_count) filter (where strata.stratum = 'not_stated') over cell
            as unknown_response_count,
        bool_or(strata.stratum = 'not_stated') over cell as has_unknown_group
    from strata
    inner join totals
        on
            strata.measure_slug = totals.measure_slug
            and strata.measure_version = totals.measure_version
            and strata.period_first_on = totals.period_first_on
            and strata.organisation_slug = totals.organisation_slug
    left join {{ ref('reference_groups') }} as named
        on strata.stratum_attribute = named.stratum_attribute and strata.stratum = named.stratum
    window
        cell as (
            partition by
                strata.measure_slug, strata.measure_version, strata.period_first_on, strata.organisation_slug,
                strata.stratum_attribute
        ),
        preferred as (
            partition by
                strata.measure_slug, strata.measure_version, strata.period_first_on, strata.organisation_slug,
                strata.stratum_attribute
            order by
                strata.cell_state <> 'value',
                named.stratum is null,
                strata.stratum = 'not_stated',
                strata.response_count desc nulls last,
                strata.stratum asc
        )
),

compared as (
    select
        own.*,
        reference.value as reference_value,
        reference.low as reference_low,
        reference.high as reference_high,
        reference.response_count as reference_response_count,
        case when own.stratum <> reference.stratum then own.value - reference.value end as gap,
        case when own.stratum <> reference.stratum then {{ difference_bound('reference', 'own', 'low') }} end
            as gap_low,
        case when own.stratum <> reference.stratum then {{ difference_bound('reference', 'own', 'high') }} end
            as gap_high
    from ranked as own
    inner join ranked as reference
        on
            own.measure_slug = reference.measure_slug
            and own.measure_version = reference.measure_version
            and own.period_first_on = reference.period_first_on
            and own.organisation_slug = reference.organisation_slug
            and own.stratum_attribute = reference.stratum_attribute
            and own.reference_stratum = reference.stratum
)

select
    measure_slug,
    measure_version,
    period_kind,
    period_first_on,
    period_last_on,
    organisation_slug,
    stratum_attribute,
    stratum,
    case when reference_value is not null then reference_stratum end as reference_stratum,
    response_count,
    measure_value,
    reference_value::numeric(14, 6) as reference_value,
    unit,
    gap::numeric(14, 6) as gap,
    gap_low::numeric(14, 6) as gap_low,
    gap_high::numeric(14, 6) as gap_high,
    case
        when stratum = reference_stratum and reference_value is not null then 'reference'
        when gap is null then null
        -- The spread of few, or of answers that are all alike, says too little of the next ones' mean.
        when
            statistic in ('mean', 'net_share')
            and (
                least(response_count, reference_response_count) < {{ var('gap_min_responses') }}
                or low = high
                or reference_low = reference_high
            )
            then 'too_little_data'
        when gap_low > 0 and better_direction = 'higher' then 'better'
        when gap_high < 0 and better_direction = 'higher' then 'worse'
        when gap_low > 0 and better_direction = 'lower' then 'worse'
        when gap_high < 0 and better_direction = 'lower' then 'better'
        when better_direction = 'none' and (gap_low > 0 or gap_high < 0) then 'different'
        else 'no_clear_difference'
    end as gap_class,
    case
        when total_response_count is null or (has_unknown_group and unknown_response_count is null) then null
        else 1 - coalesce(unknown_response_count, 0)::numeric / nullif(total_response_count, 0)
    end::numeric(7, 6) as known_share,
    cell_state
from compared
