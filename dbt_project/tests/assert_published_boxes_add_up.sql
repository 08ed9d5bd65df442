{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-136',
        'title': 'The boxes of a published question add up to one',
        'severity': 'warning',
        'dimension': 'accuracy',
        'owner': 'analytics-engineering',
        'why': 'Boxes that add up to anything else are of two questions, or one was lost.',
    }
) }}

select
    source_slug,
    organisation_slug,
    score_slug,
    period_first_on
from {{ ref('rpt_published_measures') }}
where box in ('top', 'middle', 'bottom') and measure_version is not null
group by
    source_slug, organisation_slug, site_slug, service_slug, is_total, score_slug, measure_version,
    period_first_on, period_last_on
having
    count(*) = count(published_value)
    and abs(sum(published_value) - 1) > 0.010001
