-- Responses of the published cells and nothing else, so that what is hidden there is hidden here.
with answered as (
    select
        measure_version,
        period_kind,
        period_first_on,
        period_last_on,
        organisation_slug,
        service_slug,
        stratum_attribute,
        stratum,
        response_count,
        cell_state
    from {{ ref('rpt_measures') }}
    where measure_slug = 'fft_positive_share' and period_first_on is not null
),

definitions as (
    select
        measure_version,
        measure_slug,
        {{ min_responses('suppression_setting', 'min_report_count') }} as min_responses
    from {{ ref('measures') }}
    where statistic = 'response_rate'
),

-- A year is known where all of its months are.
eligible as (
    select
        'month' as period_kind,
        month_start_on as period_first_on,
        organisation_slug,
        service_slug,
        stratum_attribute,
        stratum,
        eligible_count
    from {{ ref('eligible_patients') }}

    union all

    select
        'year' as period_kind,
        {{ reporting_year_of('month_start_on') }} as period_first_on,
        organisation_slug,
        service_slug,
        stratum_attribute,
        stratum,
        sum(eligible_count) as eligible_count
    from {{ ref('eligible_patients') }}
    group by 1, 2, 3, 4, 5, 6
    having count(distinct month_start_on) = 12
),

rated as (
    select
        definitions.measure_slug,
        definitions.measure_version,
        answered.period_kind,
        answered.period_first_on,
        answered.period_last_on,
        answered.organisation_slug,
        answered.service_slug,
        answered.stratum_attribute,
        answered.stratum,
        answered.response_count,
        eligible.eligible_count,
        answered.cell_state = 'suppressed'
        or eligible.eligible_count between 1 and definitions.min_responses - 1 as is_suppressed,
        -- More responses than patients: one of the counts is wrong, and their share is no rate.
        case when answered.response_count <= eligible.eligible_count then eligible.eligible_count else 0 end
            as denominator_count
    from answered
    inner join definitions on answered.measure_version = definitions.measure_version
    inner join eligible
        on
            answered.period_kind = eligible.period_kind
            and answered.period_first_on = eligible.period_first_on
            and answered.organisation_slug = eligible.organisation_slug
            and answered.service_slug = eligible.service_slug
            and answered.stratum_attribute = eligible.stratum_attribute
            and answered.stratum = eligible.stratum
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
    {{ unless_suppressed('is_suppressed', 'response_count') }} as response_count,
    {{ unless_suppressed('is_suppressed', 'eligible_count') }}::bigint as eligible_count,
    case
        when not is_suppressed then response_count / nullif(denominator_count, 0)::numeric
    end::numeric(7, 6) as response_rate,
    case
        when not is_suppressed and denominator_count > 0
            then {{ wilson_bound('response_count', 'denominator_count', 'low') }}
    end as interval_low,
    case
        when not is_suppressed and denominator_count > 0
            then {{ wilson_bound('response_count', 'denominator_count', 'high') }}
    end as interval_high,
    {{ cell_state('is_suppressed', 'denominator_count') }} as cell_state
from rated
