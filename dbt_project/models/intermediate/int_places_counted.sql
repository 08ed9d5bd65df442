{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods() }}",
    post_hook='analyze {{ this }}',
) }}

-- How many responses of each month came from each source about each place, as sources name it. Dimensions are
-- made anew each time, and the responses are not read for each of them.
select
    'month' as period_kind,
    month_start_on as period_first_on,
    source_slug,
    organisation_slug,
    organisation_name,
    service_slug,
    service_name,
    count(*) as response_count,
    min(submitted_on) as first_submitted_on,
    max(submitted_on) as last_submitted_on
from {{ ref('int_responses_kept') }}
where {{ is_in_period_to_build(period_kind="'month'", period_first_on='month_start_on') }}
group by month_start_on, source_slug, organisation_slug, organisation_name, service_slug, service_name
