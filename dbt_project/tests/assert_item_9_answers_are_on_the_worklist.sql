{{ config(
    meta={
        'check_id': 'FB-DBT-098',
        'title': 'Every answer above 0 to item 9 of the PHQ-9 is on the worklist',
        'severity': 'critical',
        'dimension': 'completeness',
        'owner': 'analytics-engineering',
        'why': 'Thoughts of being better off dead that nobody sees are what the worklist is there for.',
    }
) }}

select answers.response_id
from {{ ref('fct_answers') }} as answers
left join {{ ref('fct_serious_comments') }} as entries
    on answers.response_id = entries.response_id and entries.basis = 'phq_9_item_9'
where
    answers.instrument_slug = 'phq_9'
    and answers.item_slug = 'item_9'
    and answers.value_number > 0
    and entries.entry_id is null
