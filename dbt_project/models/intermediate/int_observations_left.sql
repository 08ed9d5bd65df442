{{ config(materialized='table') }}

-- depends_on: {{ ref('int_responses_changed') }}
-- What the earlier run counted of the responses that are built anew, kept until int_score_cells_changed has
-- taken it off: int_observations_gathered forgets it. Nothing in a run from nothing.
{% if is_going_on() -%}
select {{ observation_columns() | join(', ') }}
from {{ this.include(identifier=false) }}.int_observations_gathered
where {{ is_to_build('response_id') }}
{%- else -%}
select {{ no_observation() }}
where false
{%- endif %}
