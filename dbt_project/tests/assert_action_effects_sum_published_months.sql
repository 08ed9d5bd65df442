{{ config(
    meta={
        'check_id': 'FB-DBT-123',
        'title': 'Before and after an action only published months are added up',
        'severity': 'critical',
        'dimension': 'validity',
        'owner': 'analytics-engineering',
        'why': 'A sum that holds a hidden month gives it away beside the shown ones.',
    }
) }}

with published as (
    select
        measure_slug,
        measure_version,
        null as theme_slug,
        organisation_slug,
        service_slug,
        period_first_on as month_start_on,
        denominator_count
    from {{ ref('rpt_measures') }}
    where cell_state = 'value' and period_kind = 'month' and stratum_attribute = 'all'
    union all
    select
        measure_slug,
        '1' as measure_version,
        theme_slug,
        organisation_slug,
        'all' as service_slug,
        month_start_on,
        denominator_count
    from {{ ref('rpt_theme_trends_monthly') }}
    where cell_state = 'value'
),

-- Topics have no report of their own: their months are those of the sentiment, with themes or without.
months as (
    select
        measure_slug,
        measure_version,
        theme_slug,
        organisation_slug,
        service_slug,
        month_start_on,
        denominator_count
    from published
    union all
    select distinct
        'topic_share' as measure_slug,
        '1' as measure_version,
        null as theme_slug,
        published.organisation_slug,
        published.service_slug,
        published.month_start_on,
        published.denominator_count
    from published
    inner join {{ ref('dim_measures') }} as measures
        on
            published.measure_slug = measures.measure_slug
            and published.measure_version = measures.measure_version
    where measures.score_slug = 'comment_sentiment' and published.service_slug = 'all'
)

select
    effects.action_slug,
    effects.measure_slug
from {{ ref('rpt_action_effects') }} as effects
left join months
    on
        effects.measure_slug = months.measure_slug
        and effects.measure_version = months.measure_version
        and effects.theme_slug is not distinct from months.theme_slug
        and effects.organisation_slug = months.organisation_slug
        and effects.service_slug = months.service_slug
group by
    effects.action_slug,
    effects.measure_slug,
    effects.theme_slug,
    effects.topic_slug,
    effects.organisation_slug,
    effects.service_slug,
    effects.taken_on,
    effects.before_first_on,
    effects.after_last_on,
    effects.before_denominator_count,
    effects.after_denominator_count
having
    effects.before_denominator_count is distinct from sum(months.denominator_count) filter (
        where
        months.month_start_on >= effects.before_first_on
        and months.month_start_on < date_trunc('month', effects.taken_on)
    )
    or effects.after_denominator_count is distinct from sum(months.denominator_count) filter (
        where months.month_start_on > effects.taken_on and months.month_start_on <= effects.after_last_on
    )
