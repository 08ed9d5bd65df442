{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id') }}",
    indexes=[
        {'columns': ['response_id']},
        {'columns': ['score_slug', 'submitted_on']},
    ],
) }}

-- Whatever reads the scores as the earlier run left them is built first.
-- depends_on: {{ ref('int_periods_changed') }}
select
    response_id,
    score_slug,
    respondent_id,
    source_slug,
    organisation_slug,
    service_slug,
    submitted_on,
    instrument_slug,
    instrument_version,
    score_state,
    score_value::numeric(14, 6) as score_value,
    score_class,
    class_direction,
    answered_item_count,
    item_count,
    delivery_id
from {{ ref('int_scores_computed') }}
