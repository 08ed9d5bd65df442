{{ config(
    meta={
        'check_id': 'FB-DBT-066',
        'title': 'Every topic of the fixed taxonomy has one main side of partnership',
        'severity': 'critical',
        'dimension': 'completeness',
        'owner': 'patient-experience',
        'why': 'A topic without a main side is missing from every count by side, one with two counts twice.',
    }
) }}

select topics.topic_slug
from {{ ref('topics') }} as topics
left join {{ ref('bridge_topics_partnership') }} as sides
    on topics.topic_slug = sides.topic_slug and sides.is_main_side
group by topics.topic_slug
having count(sides.topic_slug) <> 1
