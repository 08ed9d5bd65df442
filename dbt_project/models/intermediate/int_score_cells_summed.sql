{#- Seven ways of grouping at once: with this they are hashed, not sorted on disk seven times. -#}
{{ config(
    materialized='incremental',
    pre_hook=["{{ forget_periods() }}", 'set local hash_mem_multiplier = 16'],
    post_hook='analyze {{ this }}',
) }}

-- Every score added up per period and organisation, by service and by group of patients.
select
    score_slug,
    score_version,
    period_kind,
    period_first_on,
    organisation_slug,
    {{ counted_part_kind() }} as part_kind,
    coalesce(service_slug, {{ patient_attributes() | join(', ') }}) as part_slug,
    count(*) as response_count,
    {{ added_score_sums() }}
from {{ ref('int_observations_gathered') }}
where {{ is_in_period_to_build() }}
group by
    score_slug, score_version, period_kind, period_first_on, organisation_slug,
    grouping sets ({{ counted_parts() }})
