{#- Seven ways of grouping at once: with this they are hashed, not sorted on disk seven times. -#}
{{ config(
    materialized='incremental',
    pre_hook=["{{ forget_cells() }}", 'set local hash_mem_multiplier = 16'],
    post_hook='analyze {{ this }}',
) }}

-- Every score added up per period and organisation, by service and by group of patients.
{% if is_going_on() -%}
select
    {{ cell_keys() | join(', ') }},
    response_count,
    {{ score_sums() | join(', ') }}
from {{ this.include(identifier=false) }}.int_score_cells_changed
where response_count > 0
{%- else -%}
select
    score_slug,
    score_version,
    period_kind,
    period_first_on,
    organisation_slug,
    {{ counted_part_kind() }} as part_kind,
    coalesce(service_slug, {{ patient_attributes() | join(', ') }}) as part_slug,
    count(*) as response_count,
    {{ trimmed_score_sums() }}
from {{ ref('int_observations_gathered') }}
group by
    score_slug, score_version, period_kind, period_first_on, organisation_slug,
    grouping sets ({{ counted_parts() }})
{%- endif %}
