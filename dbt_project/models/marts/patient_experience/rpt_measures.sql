{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods('int_periods_reported') }}",
    indexes=[{'columns': ['measure_slug', 'organisation_slug', 'period_first_on']}],
    post_hook='analyze {{ this }}',
) }}

with cells as (
    select * from {{ ref('int_cells_suppressed') }}
    where {{ is_in_period_to_build('int_periods_reported') }}
),

-- What each statistic adds up, and the squares that its interval needs.
observed as (
    select
        cells.score_slug,
        cells.score_version,
        cells.period_kind,
        cells.period_first_on,
        cells.organisation_slug,
        cells.period_last_on,
        cells.service_slug,
        cells.stratum_attribute,
        cells.stratum,
        cells.response_count,
        cells.observation_count,
        cells.is_suppressed,
        summands.statistic,
        summands.numerator_sum,
        summands.square_sum
    from cells
    cross join lateral (
        values
        ('favourable_share', cells.favourable_sum, cells.favourable_square_sum),
        ('unfavourable_share', cells.unfavourable_sum, cells.unfavourable_square_sum),
        (
            'neutral_share',
            cells.observation_count - cells.favourable_sum - cells.unfavourable_sum,
            cells.observation_count + cells.favourable_square_sum + cells.unfavourable_square_sum
            - 2 * cells.favourable_sum - 2 * cells.unfavourable_sum + 2 * cells.product_sum
        ),
        (
            'net_share',
            cells.favourable_sum - cells.unfavourable_sum,
            cells.favourable_square_sum + cells.unfavourable_square_sum - 2 * cells.product_sum
        ),
        ('mean', cells.value_sum, cells.value_square_sum)
    ) as summands (statistic, numerator_sum, square_sum)
),

members as (
    select
        composites.*,
        count(*) over (partition by composites.composite_slug, composites.instrument_version) as member_count
    from {{ ref('composites') }} as composites
),

-- A composite is the unweighted mean of its items' shares or means, each over those who answered the item; of
-- fewer items it would be another number. So is its interval: items of the same people go together, at most
-- wholly, and then their standard errors add up. Materialized, for the planner expects one cell to be joined
-- with it, and would add all of it up again for each.
composed as materialized (
    select
        members.composite_slug as score_slug,
        observed.score_version,
        observed.period_kind,
        observed.period_first_on,
        observed.organisation_slug,
        observed.service_slug,
        observed.stratum_attribute,
        observed.stratum,
        observed.statistic,
        sum(observed.numerator_sum) as numerator_sum,
        sum(observed.observation_count) as observation_count,
        avg(observed.numerator_sum / nullif(observed.observation_count, 0)) as composite_value,
        avg({{ statistic_bound('observed', 'low') }}) as composite_low,
        avg({{ statistic_bound('observed', 'high') }}) as composite_high,
        count(*) filter (where observed.observation_count > 0) = min(members.member_count) as has_every_item,
        bool_or(observed.is_suppressed) as is_suppressed
    from observed
    inner join members
        on
            observed.score_slug = members.member_score_slug
            and observed.score_version = members.instrument_version
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
),

measured as (
    select
        measures.measure_slug,
        measures.measure_version,
        measures.statistic,
        measures.unit,
        observed.period_kind,
        observed.period_first_on,
        observed.organisation_slug,
        observed.period_last_on,
        observed.service_slug,
        observed.stratum_attribute,
        observed.stratum,
        observed.response_count,
        case
            when composed.score_slug is null then observed.numerator_sum
            when composed.has_every_item then composed.numerator_sum
            else 0
        end as numerator_sum,
        case
            when composed.score_slug is null then observed.observation_count
            when composed.has_every_item then composed.observation_count
            else 0
        end as denominator_count,
        coalesce(composed.composite_value, observed.numerator_sum / nullif(observed.observation_count, 0))
            as measured_value,
        coalesce(composed.composite_low, {{ statistic_bound('observed', 'low') }}) as measured_low,
        coalesce(composed.composite_high, {{ statistic_bound('observed', 'high') }}) as measured_high,
        observed.is_suppressed or coalesce(composed.is_suppressed, false) as is_suppressed
    from {{ ref('measures') }} as measures
    inner join observed
        on
            measures.score_slug = observed.score_slug
            and measures.measure_version = observed.score_version
            and measures.statistic = observed.statistic
    left join composed
        on
            observed.score_slug = composed.score_slug
            and observed.score_version = composed.score_version
            and observed.period_kind = composed.period_kind
            and coalesce(observed.period_first_on, '-infinity'::date)
            = coalesce(composed.period_first_on, '-infinity'::date)
            and observed.organisation_slug = composed.organisation_slug
            and observed.service_slug = composed.service_slug
            and observed.stratum_attribute = composed.stratum_attribute
            and observed.stratum = composed.stratum
            and observed.statistic = composed.statistic
),

stated as (
    select
        measured.*,
        {{ cell_state('measured.is_suppressed', 'measured.denominator_count') }} as cell_state
    from measured
)

select
    measure_slug,
    measure_version,
    period_kind,
    period_first_on,
    period_last_on,
    organisation_slug,
    service_slug,
    stratum_attribute,
    stratum,
    case
        when not is_suppressed and statistic <> 'mean' then round(numerator_sum)::bigint
    end as numerator_count,
    {{ unless_suppressed('is_suppressed', 'denominator_count') }}::bigint as denominator_count,
    {{ unless_suppressed('is_suppressed', 'response_count') }} as response_count,
    case when cell_state = 'value' then measured_value end::numeric(14, 6) as measure_value,
    unit,
    case when cell_state = 'value' then measured_low end::numeric(14, 6) as interval_low,
    case when cell_state = 'value' then measured_high end::numeric(14, 6) as interval_high,
    cell_state
from stated
