{{ config(
    meta={
        'check_id': 'FB-DBT-144',
        'title': 'Every whole answer of a recoded item counts as something',
        'severity': 'critical',
        'dimension': 'completeness',
        'owner': 'analytics-engineering',
        'why': 'Whoever gave the answer that was forgotten has no score, and is missing from the mean of all.',
    }
) }}

with recodes as (
    select * from {{ ref('item_recodes') }}
),

answers as (
    select distinct
        scores.instrument_slug,
        scores.instrument_version,
        score_items.item_slug,
        generate_series(score_items.scale_low, score_items.scale_high) as answer
    from {{ ref('score_items') }} as score_items
    inner join {{ ref('scores') }} as scores
        on
            score_items.score_slug = scores.score_slug
            and score_items.instrument_version = scores.instrument_version
)

select
    answers.item_slug,
    answers.answer
from answers
inner join recodes
    on
        answers.instrument_slug = recodes.instrument_slug
        and answers.instrument_version = recodes.instrument_version
        and answers.item_slug = recodes.item_slug
group by answers.instrument_slug, answers.instrument_version, answers.item_slug, answers.answer
having not bool_or(answers.answer between recodes.value_low and recodes.value_high)
