-- All topics: those of the fixed taxonomy, which people curate in a seed, and those of declared taxonomies.
with reader as (
    -- A model without training reads every topic by its description.
    select coalesce(topic_model_version like 'zero_shot%', false) as is_zero_shot
    from {{ ref('int_model_versions_selected') }}
),

fixed as (
    select
        topics.topic_slug,
        '{{ var("fixed_taxonomy_slug") }}' as taxonomy_slug,
        'NHS patient-experience framework' as taxonomy_label,
        topics.topic_label,
        topics.topic_group,
        topics.description,
        case when reader.is_zero_shot then 'zero_shot' else 'trained' end as topic_basis,
        topics.is_predicted or reader.is_zero_shot as is_predicted
    from {{ ref('topics') }} as topics
    cross join reader
),

declared as (
    select
        topic_slug,
        taxonomy_slug,
        taxonomy_label,
        topic_label,
        taxonomy_label as topic_group,
        topic_description as description,
        topic_basis,
        is_declared as is_predicted
    from {{ ref('stg_analysis__taxonomy_topics') }}
),

joined as (
    select * from fixed
    union all
    select * from declared
)

select
    topic_slug,
    taxonomy_slug,
    taxonomy_label,
    topic_label,
    topic_group,
    description,
    topic_basis,
    is_predicted
from joined
