{{ config(indexes=[{'columns': ['measure_slug', 'organisation_slug', 'period_first_on']}]) }}

select
    figure_id,
    source_slug,
    source_record_ref,
    measure_slug,
    organisation_slug,
    site_slug,
    site_name,
    service_slug,
    service_name,
    is_total,
    period_first_on,
    period_last_on,
    figure_value,
    figure_unit,
    figure_state,
    is_value_set_aside,
    respondent_count,
    respondent_band,
    source_metadata,
    delivery_id
from {{ ref('stg_feedback__published_figures') }}
