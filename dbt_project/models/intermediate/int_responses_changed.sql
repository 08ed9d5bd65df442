{{ config(
    materialized='table',
    indexes=[{'columns': ['response_id'], 'unique': True}],
    post_hook='analyze {{ this }}',
) }}

-- The responses that a run which goes on from an earlier one builds anew; none in a run from nothing. What
-- the earlier run left in the slot is read before this run changes it.
with changed as (
    select response_id
    from {{ ref('stg_feedback__response_changes') }}
    where {{ is_changed_since('changed_in') }}
    union distinct
    select present.response_id
    from {{ ref('stg_feedback__comments') }} as present
    inner join {{ ref('stg_analysis__text_changes') }} as read_texts
        on present.text_sha256 = read_texts.text_sha256
    where {{ is_changed_since('read_texts.changed_in') }}
),

-- What a person answers is read together with what the same person answered before.
people as (
    select responses.respondent_id
    from changed
    inner join {{ ref('stg_feedback__responses') }} as responses
        on changed.response_id = responses.response_id
    {% if is_going_on() -%}
    {% for table in ['fct_responses', 'fct_scores'] -%}
    union distinct
    select earlier.respondent_id
    from changed
    inner join {{ this.include(identifier=false) }}.{{ table }} as earlier
        on changed.response_id = earlier.response_id
    {% endfor -%}
    {%- endif %}
)

select response_id from changed
union distinct
select responses.response_id
from {{ ref('stg_feedback__responses') }} as responses
inner join people on responses.respondent_id = people.respondent_id
