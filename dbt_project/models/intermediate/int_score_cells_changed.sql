{{ config(materialized='table') }}

-- depends_on: {{ ref('int_responses_changed') }}
-- The cells in which a response that is built anew is or was, with their new sums; 0 responses where it was
-- the last. Sums are exact: the earlier one, with what came and without what left, is that of all. Nothing in
-- a run from nothing.
with moved as (
    select
        {{ observation_columns() | join(', ') }},
        1 as times
    from {{ ref('int_observations_gathered') }}
    where {{ is_to_build('response_id') if is_going_on() else 'false' }}
    union all
    select
        {{ observation_columns() | join(', ') }},
        -1 as times
    from {{ ref('int_observations_left') }}
),

change as (
    select
        score_slug,
        score_version,
        period_kind,
        period_first_on,
        organisation_slug,
        {{ counted_part_kind() }} as part_kind,
        coalesce(service_slug, {{ patient_attributes() | join(', ') }}) as part_slug,
        sum(times) as response_count,
        {{ added_score_sums('times') }}
    from moved
    group by
        score_slug, score_version, period_kind, period_first_on, organisation_slug,
        grouping sets ({{ counted_parts() }})
),

earlier as (
    {% if is_going_on() -%}
    select * from {{ this.include(identifier=false) }}.int_score_cells_summed
    {%- else -%}
    select * from change
    {%- endif %}
)

select
    change.score_slug,
    change.score_version,
    change.period_kind,
    change.period_first_on,
    change.organisation_slug,
    change.part_kind,
    change.part_slug,
    change.response_count + coalesce(earlier.response_count, 0) as response_count,
    {{ changed_score_sums('change', 'earlier') }}
from change
left join earlier
    on {{ same_cell('change', 'earlier') }}
