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

-- By year where the Friends and Family Test is published so; a year is known where all of its months are.
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

wholes as (
    select * from answered
    where service_slug = 'all' and stratum_attribute = 'all'
),

-- A service or group from which nobody was ever heard has no cell: it is a 0, shown or hidden with its whole.
placed as (
    select
        wholes.measure_version,
        wholes.period_last_on,
        eligible.*,
        case when answered.cell_state is null then 0 else answered.response_count end as response_count,
        coalesce(answered.cell_state, wholes.cell_state) as cell_state
    from eligible
    inner join wholes
        on
            eligible.period_kind = wholes.period_kind
            and eligible.period_first_on = wholes.period_first_on
            and eligible.organisation_slug = wholes.organisation_slug
    left join answered
        on
            wholes.measure_version = answered.measure_version
            and eligible.period_kind = answered.period_kind
            and eligible.period_first_on = answered.period_first_on
            and eligible.organisation_slug = answered.organisation_slug
            and eligible.service_slug = answered.service_slug
            and eligible.stratum_attribute = answered.stratum_attribute
            and eligible.stratum = answered.stratum
    -- Cells that no report has: parts of the total of all, and groups within a service.
    where
        (eligible.service_slug = 'all' or eligible.stratum_attribute = 'all')
        and (
            eligible.organisation_slug <> 'all'
            or (eligible.service_slug = 'all' and eligible.stratum_attribute = 'all')
        )
),

rated as (
    select
        definitions.measure_slug,
        placed.*,
        placed.cell_state = 'suppressed'
        or placed.eligible_count between 1 and definitions.min_responses - 1 as is_suppressed,
        -- More responses than patients: one of the counts is wrong, and their share is no rate.
        case when placed.response_count <= placed.eligible_count then placed.eligible_count else 0 end
            as denominator_count
    from placed
    inner join definitions on placed.measure_version = definitions.measure_version
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
