{{ config(
    meta={
        'check_id': 'FB-DBT-114',
        'title': 'No more patients answered than were eligible',
        'severity': 'critical',
        'dimension': 'validity',
        'owner': 'patient-experience',
        'why': 'A response rate above one means that a count in eligible_patients is wrong, and that others may be too.',
    }
) }}

select
    period_first_on,
    organisation_slug,
    service_slug,
    stratum
from {{ ref('rpt_response_rates') }}
where response_count > eligible_count
