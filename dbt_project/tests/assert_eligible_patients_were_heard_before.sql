{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-146',
        'title': 'Of every place and group in eligible_patients somebody answered at some time',
        'severity': 'warning',
        'dimension': 'consistency',
        'owner': 'patient-experience',
        'why': 'People who are never heard look like a misspelt name, and so does a group where no source asks for it: put the name right, or ask why.',
    }
) }}

select
    eligible.organisation_slug,
    eligible.service_slug,
    eligible.stratum
from {{ ref('eligible_patients') }} as eligible
left join {{ ref('rpt_measures') }} as heard
    on
        heard.measure_slug = 'fft_positive_share'
        and eligible.organisation_slug = heard.organisation_slug
        and eligible.service_slug = heard.service_slug
        and eligible.stratum_attribute = heard.stratum_attribute
        and eligible.stratum = heard.stratum
where heard.measure_slug is null
group by eligible.organisation_slug, eligible.service_slug, eligible.stratum_attribute, eligible.stratum
