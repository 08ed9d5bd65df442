-- The topic models whose readings the marts show: that of the fixed taxonomy, and one for each declared one.
with fixed as (
    select topic_model_version
    from {{ ref('int_model_versions_selected') }}
    where topic_model_version is not null
),

declared as (
    select distinct topic_model_version
    from {{ ref('stg_analysis__taxonomy_topics') }}
    where is_declared
),

selected as (
    select topic_model_version from fixed
    union
    select topic_model_version from declared
)

select topic_model_version
from selected
