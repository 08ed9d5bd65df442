{{ config(
    meta={
        'check_id': 'FB-DBT-002',
        'title': 'What is left of a shown total after its shown parts rests on enough responses of several parts',
        'severity': 'critical',
        'dimension': 'validity',
        'owner': 'analytics-engineering',
        'why': 'A published total next to all but one of its parts reveals the hidden one.',
    }
) }}

-- Reads the published reports alone, as a reader would.
with cells as (
    select
        'rpt_fft_monthly' as report,
        {{ var('suppression_fft_min_responses') }} as minimum_count,
        coalesce(month_start_on, '-infinity'::date) as period_on,
        organisation_slug,
        service_slug,
        measure_slug,
        response_count,
        cell_state = 'suppressed' as is_suppressed
    from {{ ref('rpt_fft_monthly') }}
    union all
    select
        'rpt_sentiment_by_service' as report,
        {{ var('suppression_comment_min_responses') }} as minimum_count,
        coalesce(month_start_on, '-infinity'::date) as period_on,
        organisation_slug,
        service_slug,
        measure_slug,
        response_count,
        cell_state = 'suppressed' as is_suppressed
    from {{ ref('rpt_sentiment_by_service') }}
),

families as (
    select
        parents.report,
        parents.period_on,
        parents.organisation_slug,
        parents.measure_slug,
        parents.minimum_count,
        parents.response_count - coalesce(sum(children.response_count), 0) as left_count,
        count(*) filter (where children.is_suppressed) as suppressed_count
    from cells as parents
    inner join cells as children
        on
            parents.report = children.report
            and parents.period_on = children.period_on
            and parents.measure_slug = children.measure_slug
            and case
                when parents.organisation_slug = 'all'
                    then children.organisation_slug <> 'all' and children.service_slug = 'all'
                else parents.organisation_slug = children.organisation_slug and children.service_slug <> 'all'
            end
    where parents.service_slug = 'all' and not parents.is_suppressed
    group by
        parents.report,
        parents.period_on,
        parents.organisation_slug,
        parents.measure_slug,
        parents.minimum_count,
        parents.response_count
)

select
    report,
    period_on,
    organisation_slug,
    measure_slug
from families
where
    suppressed_count = 1
    or (suppressed_count > 1 and left_count < minimum_count)
    or (suppressed_count = 0 and left_count <> 0)
