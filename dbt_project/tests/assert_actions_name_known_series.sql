{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-121',
        'title': 'Every action names a monthly series that the warehouse knows',
        'severity': 'warning',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'An action with a misspelt organisation, service, measure, theme or topic, or on what has no months (a score published by year, a mention share, a response rate), is compared with nothing.',
    }
) }}

-- Examples come with the project: an installation need not know their organisations.
select
    actions.action_slug,
    actions.measure_slug
from {{ ref('actions') }} as actions
left join {{ ref('dim_organisations') }} as organisations
    on actions.organisation_slug = organisations.organisation_slug
left join {{ ref('dim_services') }} as services on actions.service_slug = services.service_slug
left join {{ ref('dim_measures') }} as measures on actions.measure_slug = measures.measure_slug
left join {{ ref('int_scores_ruled') }} as rules
    on measures.score_slug = rules.score_slug and measures.measure_version = rules.score_version
left join {{ ref('dim_themes') }} as themes on actions.theme_slug = themes.theme_slug
left join {{ ref('dim_topics') }} as topics on actions.topic_slug = topics.topic_slug
where
    (
        actions.is_example is not true
        and (
            (actions.organisation_slug is distinct from 'all' and organisations.organisation_slug is null)
            or (actions.service_slug is distinct from 'all' and services.service_slug is null)
        )
    )
    or measures.measure_slug is null
    or rules.period_kind = 'year'
    or measures.statistic in ('side_share', 'response_rate')
    or num_nulls(actions.action_slug, actions.taken_on) > 0
    or (actions.measure_slug = 'theme_share') <> (actions.theme_slug is not null)
    or (actions.measure_slug = 'topic_share') <> (actions.topic_slug is not null)
    or (actions.theme_slug is not null and themes.theme_slug is null)
    or (actions.topic_slug is not null and topics.topic_slug is null)
