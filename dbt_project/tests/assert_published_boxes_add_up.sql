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

with boxes as (
    select
        score_slug,
        count(*) as box_count
    from {{ ref('published_measures') }}
    where box in ('top', 'middle', 'bottom')
    group by score_slug
)

select
    published.source_slug,
    published.organisation_slug,
    published.score_slug,
    published.period_first_on
from {{ ref('rpt_published_measures') }} as published
inner join boxes on published.score_slug = boxes.score_slug
where published.box in ('top', 'middle', 'bottom')
group by
    published.source_slug, published.organisation_slug, published.site_slug, published.service_slug,
    published.is_total, published.score_slug, published.period_first_on, published.period_last_on,
    boxes.box_count
having
    count(published.published_value) = boxes.box_count
    and abs(sum(published.published_value) - 1) > 0.010001
