{{ config(materialized='table') }}

with raised as (
    {{ xmr_signals(charted=ref('int_measures_charted'), rule_set=var('signal_rules')) }}
)

select
    raised.series_key,
    raised.point_on,
    raised.signal_kind,
    raised.signal_rank,
    raised.signal_direction,
    raised.run_first_on,
    raised.run_last_on
from raised
inner join {{ ref('int_measures_charted') }} as charted
    on raised.series_key = charted.series_key and raised.point_on = charted.point_on
-- Where a month has hardly any, a run of zeros and every single comment would be a signal. What counts there
-- is a month that leaves the limits with many.
where
    not charted.is_sparse
    or (
        raised.signal_kind = 'outside_limits'
        and raised.signal_direction = charted.rare_direction
        and charted.rare_count >= {{ var('emerging_min_comments') }}
    )
