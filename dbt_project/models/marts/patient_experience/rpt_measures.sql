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

-- A composite is the unweighted mean of its items' shares or means, each over those who answered the item.
composed as (
    select
        composites.composite_slug as score_slug,
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
        bool_or(observed.is_suppressed) as is_suppressed
    from observed
    inner join {{ ref('composites') }} as composites
        on
            observed.score_slug = composites.member_score_slug
            and observed.score_version = composites.instrument_version
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
        composed.score_slug is not null as is_composite,
        coalesce(composed.numerator_sum, observed.numerator_sum) as numerator_sum,
        coalesce(composed.observation_count, observed.observation_count) as denominator_count,
        coalesce(composed.composite_value, observed.numerator_sum / nullif(observed.observation_count, 0))
            as measured_value,
        {{ spread_of_mean('observed.numerator_sum', 'observed.square_sum', 'observed.observation_count') }}
            as spread,
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

bounded as (
    select
        measured.*,
        case measured.unit when 'share 0-1' then 0 when 'share -1 to 1' then -1 end as lowest,
        case when measured.unit <> 'score' then 1 end as highest,
        measured.statistic in ('favourable_share', 'unfavourable_share', 'neutral_share')
        and not measured.is_composite as is_proportion
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
    {{ unless_suppressed('is_suppressed', 'measured_value') }}::numeric(14, 6) as measure_value,
    unit,
    case
        when is_suppressed or denominator_count = 0 then null
        when is_proportion then {{ wilson_bound('numerator_sum', 'denominator_count', 'low') }}
        else greatest(measured_value - spread, lowest)
    end::numeric(14, 6) as interval_low,
    case
        when is_suppressed or denominator_count = 0 then null
        when is_proportion then {{ wilson_bound('numerator_sum', 'denominator_count', 'high') }}
        else least(measured_value + spread, highest)
    end::numeric(14, 6) as interval_high,
    {{ cell_state('is_suppressed', 'denominator_count') }} as cell_state
from bounded
