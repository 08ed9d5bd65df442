{{ config(
    meta={
        'check_id': 'FB-DBT-008',
        'title': 'No organisation or service is called all or not_stated',
        'severity': 'critical',
        'dimension': 'validity',
        'owner': 'data-engineering',
        'why': 'The reports use these words for totals and for null: give the organisation another slug in its declaration.',
    }
) }}

select organisation_slug as slug
from {{ ref('dim_organisations') }}
where organisation_slug in ('all', 'not_stated')
union all
select service_slug as slug
from {{ ref('dim_services') }}
where service_slug in ('all', 'not_stated')
