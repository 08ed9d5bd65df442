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

-- How many of an organisation's responses the shown cells of its services, or of an attribute's groups, name.
-- Made of what rpt_measures shows alone: the others said nothing, or stand in a hidden cell.
named as (
    select
        measure_version,
        period_kind,
        period_first_on,
        organisation_slug,
        stratum_attribute,
        service_slug = 'all' as is_of_groups,
        sum(response_count) as named_count
    from answered
    where
        (service_slug <> 'all' or stratum_attribute <> 'all')
        and 'not_stated' not in (service_slug, stratum)
    group by 1, 2, 3, 4, 5, 6
),

-- A service or group from which nobody was ever heard has no cell: it is a 0, shown or hidden with its whole.
placed as (
    select
        wholes.measure_version,
        wholes.period_last_on,
        eligible.*,
        definitions.measure_slug,
        definitions.min_responses,
        wholes.response_count as whole_count,
        case when answered.cell_state is null then 0 else answered.response_count end as response_count,
        -- So many more may belong here.
        case
            when eligible.service_slug = 'all' and eligible.stratum_attribute = 'all' then 0
            else greatest(wholes.response_count - coalesce(named.named_count, 0), 0)
        end as unnamed_count,
        coalesce(answered.cell_state, wholes.cell_state) as cell_state
    from eligible
    inner join wholes
        on
            eligible.period_kind = wholes.period_kind
            and eligible.period_first_on = wholes.period_first_on
            and eligible.organisation_slug = wholes.organisation_slug
    inner join definitions on wholes.measure_version = definitions.measure_version
    left join named
        on
            wholes.measure_version = named.measure_version
            and eligible.period_kind = named.period_kind
            and eligible.period_first_on = named.period_first_on
            and eligible.organisation_slug = named.organisation_slug
            and eligible.stratum_attribute = named.stratum_attribute
            and (eligible.service_slug = 'all') = named.is_of_groups
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

sized as (
    select
        *,
        case
            when service_slug <> 'all' then 'service'
            when stratum_attribute <> 'all' then stratum_attribute
            else 'organisation'
        end as part_kind,
        case
            when service_slug <> 'all' or stratum_attribute <> 'all' then organisation_slug
            when organisation_slug <> 'all' then 'all'
        end as parent_slug,
        eligible_count between 1 and min_responses - 1 as is_few
    from placed
),

-- What a reader may subtract: services and groups from their organisation, organisations from all.
siblings as (
    select
        sized.*,
        parents.eligible_count - sum(sized.eligible_count) over all_siblings as rest_count,
        bool_or(sized.is_few) over all_siblings as has_few,
        coalesce(sum(sized.eligible_count) over smaller, 0) as smaller_sum,
        count(*) over smaller as smaller_count
    from sized
    left join sized as parents
        on
            sized.measure_version = parents.measure_version
            and sized.period_kind = parents.period_kind
            and sized.period_first_on = parents.period_first_on
            and sized.parent_slug = parents.organisation_slug
            and parents.part_kind = 'organisation'
    window
        all_siblings as (
            partition by
                sized.measure_version,
                sized.period_kind,
                sized.period_first_on,
                sized.parent_slug,
                sized.part_kind
        ),
        smaller as (
            all_siblings
            order by
                sized.eligible_count = 0,
                sized.eligible_count,
                sized.organisation_slug,
                sized.service_slug,
                sized.stratum
            rows between unbounded preceding and 1 preceding
        )
),

-- Beside few patients, or few whom no part names, the next smallest are hidden until two parts and enough
-- patients are. What no part names is a part, too. Where nobody lists the whole nothing can be subtracted.
hidden_siblings as (
    select
        *,
        is_few
        or (
            eligible_count > 0
            and rest_count is not null
            and (has_few or rest_count between 1 and min_responses - 1)
            and (
                smaller_sum + greatest(rest_count, 0) < min_responses
                or smaller_count + (rest_count > 0)::integer < 2
            )
        ) as is_hidden
    from siblings
),

rated as (
    select
        *,
        cell_state = 'suppressed'
        or is_hidden
        -- The parts of a hidden organisation add up to it.
        or coalesce(
            bool_or(is_hidden) filter (where part_kind = 'organisation') over (
                partition by measure_version, period_kind, period_first_on, organisation_slug
            ),
            false
        ) as is_suppressed,
        -- More responses than patients: one of the counts is wrong, and their share is no rate.
        case when response_count <= eligible_count then eligible_count else 0 end as denominator_count,
        least(response_count + unnamed_count, eligible_count) as most_responses
    from hidden_siblings
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
        when not is_suppressed then 1 - unnamed_count / nullif(whole_count, 0)::numeric
    end::numeric(7, 6) as known_share,
    case
        when not is_suppressed then response_count / nullif(denominator_count, 0)::numeric
    end::numeric(7, 6) as response_rate,
    case
        when not is_suppressed and denominator_count > 0
            then {{ wilson_bound('response_count', 'denominator_count', 'low') }}
    end as interval_low,
    case
        when not is_suppressed and denominator_count > 0
            then {{ wilson_bound('most_responses', 'denominator_count', 'high') }}
    end as interval_high,
    {{ cell_state('is_suppressed', 'denominator_count') }} as cell_state
from rated
