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

-- depends_on: {{ ref('int_periods_reported') }}
-- Reads the published report alone, as a reader would; composites are no sums of their items. A shown total
-- of 0 says as much of each of its parts, on purpose.
with cells as (
    select
        concat_ws(' ', measures.measure_slug, measures.measure_version, measures.period_kind) as series_key,
        coalesce(measures.period_first_on, '-infinity'::date) as period_on,
        measures.organisation_slug,
        case
            when measures.service_slug = 'all' then measures.stratum_attribute else 'service'
        end as part_kind,
        measures.service_slug = 'all' and measures.stratum_attribute = 'all' as is_total,
        measures.response_count,
        measures.cell_state = 'suppressed' as is_suppressed,
        definitions.min_responses
    from {{ ref('rpt_measures') }} as measures
    inner join {{ ref('dim_measures') }} as definitions
        on
            measures.measure_slug = definitions.measure_slug
            and measures.measure_version = definitions.measure_version
    -- Not a join to what is null: the planner would expect one row, and join cells to cells by loops.
    where
        definitions.score_slug not in (
            select composites.composite_slug from {{ ref('composites') }} as composites
        )
        {%- if is_going_on() %}
        and (measures.period_kind, coalesce(measures.period_first_on, '-infinity'::date)) in (
            select
                reported.period_kind,
                reported.period_first_on
            from {{ ref('int_periods_reported') }} as reported
            where reported.is_changed
        )
        {%- endif %}
),

families as (
    select
        parents.series_key,
        parents.period_on,
        parents.organisation_slug,
        children.part_kind as child_kind,
        parents.min_responses,
        parents.response_count - coalesce(sum(children.response_count), 0) as left_count,
        count(*) filter (where children.is_suppressed) as suppressed_count
    from cells as parents
    inner join cells as children
        on
            parents.series_key = children.series_key
            and parents.period_on = children.period_on
            and case
                when parents.organisation_slug = 'all'
                    then children.organisation_slug <> 'all' and children.is_total
                else parents.organisation_slug = children.organisation_slug and not children.is_total
            end
    where parents.is_total and not parents.is_suppressed and parents.response_count > 0
    group by
        parents.series_key,
        parents.period_on,
        parents.organisation_slug,
        children.part_kind,
        parents.min_responses,
        parents.response_count
)

select
    series_key,
    period_on,
    organisation_slug,
    child_kind
from families
where
    suppressed_count = 1
    or (suppressed_count > 1 and left_count between 1 and min_responses - 1)
    or (suppressed_count = 0 and left_count <> 0)
