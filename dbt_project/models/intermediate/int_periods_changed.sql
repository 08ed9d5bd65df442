{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- The periods in which the responses that are built anew are counted, or were; undated ones in '-infinity'.
with days as (
    select responses.submitted_on
    from {{ ref('int_responses_kept') }} as responses
    inner join {{ ref('int_responses_changed') }} as changed on responses.response_id = changed.response_id
    {% if is_going_on() -%}
    -- A date that was corrected while the earlier run went on may be old in one table and new in another.
    {% for table in ['fct_responses', 'fct_scores', 'int_comments_scored'] -%}
    union distinct
    select earlier.submitted_on
    from {{ this.include(identifier=false) }}.{{ table }} as earlier
    inner join {{ ref('int_responses_changed') }} as changed on earlier.response_id = changed.response_id
    {% endfor -%}
    {%- endif %}
)

select distinct
    periods.period_kind,
    coalesce(periods.period_first_on, '-infinity'::date) as period_first_on,
    true as is_changed
from days
cross join lateral (
    values
    ('month', date_trunc('month', days.submitted_on)::date),
    ('year', {{ reporting_year_of('days.submitted_on') }})
) as periods (period_kind, period_first_on)
