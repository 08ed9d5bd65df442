{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-121',
        'title': 'Every action names a series that the warehouse knows',
        'severity': 'warning',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'An action with a misspelt organisation, service, measure, theme or topic is compared with nothing.',
    }
) }}

-- Examples come with the project: an installation need not know their organisations.
select
    actions.action_slug,
    actions.measure_slug
from {{ ref('actions') }} as actions
where
    (
        actions.is_example is not true
        and actions.organisation_slug <> 'all'
        and actions.organisation_slug not in (select dim_organisations.organisation_slug from {{ ref('dim_organisations') }} as dim_organisations)
    )
    or (
        actions.is_example is not true
        and actions.service_slug <> 'all'
        and actions.service_slug not in (select dim_services.service_slug from {{ ref('dim_services') }} as dim_services)
    )
    or actions.measure_slug not in (select dim_measures.measure_slug from {{ ref('dim_measures') }} as dim_measures)
    or (actions.measure_slug = 'theme_share') <> (actions.theme_slug is not null)
    or (actions.measure_slug = 'topic_share') <> (actions.topic_slug is not null)
    or actions.theme_slug not in (select dim_themes.theme_slug from {{ ref('dim_themes') }} as dim_themes)
    or actions.topic_slug not in (select dim_topics.topic_slug from {{ ref('dim_topics') }} as dim_topics)
