{{ config(
    materialized='table',
    indexes=[{'columns': ['comment_id'], 'unique': True}],
    post_hook='analyze {{ this }}',
) }}

-- The comments of the responses that are built anew: those that they have, and those that they had.
select present.comment_id
from {{ ref('stg_feedback__comments') }} as present
inner join {{ ref('int_responses_changed') }} as changed
    on present.response_id = changed.response_id
{% if is_going_on() -%}
union distinct
select earlier.comment_id
from {{ this.include(identifier=false) }}.fct_comments as earlier
inner join {{ ref('int_responses_changed') }} as changed
    on earlier.response_id = changed.response_id
{%- endif %}
