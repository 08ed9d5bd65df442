{{ config(
    meta={
        'check_id': 'FB-DBT-143',
        'title': 'A score falls into one class, an answer into one recoded range',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'Where ranges overlap, a response is counted under each of them; a range upside down holds nobody.',
    }
) }}

with ranges as (
    select
        score_slug as ranged,
        score_class as range_name,
        score_from >= score_below as is_upside_down,
        numrange(least(score_from, score_below), greatest(score_from, score_below), '[)') as span
    from {{ ref('score_classes') }}
    union all
    select
        concat_ws(' ', instrument_slug, instrument_version, item_slug) as ranged,
        value_low::text as range_name,
        value_low > value_high as is_upside_down,
        numrange(least(value_low, value_high), greatest(value_low, value_high), '[]') as span
    from {{ ref('item_recodes') }}
)

select
    one.ranged,
    one.range_name
from ranges as one
left join ranges as other
    on one.ranged = other.ranged and one.range_name < other.range_name and one.span && other.span
where one.is_upside_down or other.ranged is not null
