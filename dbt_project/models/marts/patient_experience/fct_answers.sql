{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id') }}",
    indexes=[{'columns': ['response_id']}],
) }}

select
    answers.response_id,
    answers.instrument_slug,
    answers.instrument_version,
    answers.item_slug,
    answers.value_number,
    answers.value_code,
    answers.answer_state,
    answers.is_value_set_aside,
    answers.delivery_id
from {{ ref('stg_feedback__answers') }} as answers
inner join {{ ref('int_responses_kept') }} as kept_responses
    on answers.response_id = kept_responses.response_id
where {{ is_to_build('answers.response_id') }}
