{{ config(materialized='table') }}

-- Which periods the reports must show anew: those of which any cell is another than when the slot was last
-- built, and those in which responses changed. A period's cells are summed up by their hashes.
with signed as (
    select
        period_kind,
        coalesce(period_first_on, '-infinity'::date) as period_first_on,
        sum(hashtextextended(cells::text, 0)::numeric) as cells_hash
    from {{ ref('int_cells_suppressed') }} as cells
    group by 1, 2
),

earlier as (
    {% if is_going_on() -%}
    select
        period_kind,
        period_first_on,
        cells_hash
    from {{ this }}
    {%- else -%}
    select * from signed
    where false
    {%- endif %}
)

select
    coalesce(signed.period_kind, earlier.period_kind) as period_kind,
    coalesce(signed.period_first_on, earlier.period_first_on) as period_first_on,
    signed.cells_hash,
    coalesce(changed.is_changed, signed.cells_hash is distinct from earlier.cells_hash) as is_changed
from signed
full join earlier
    on signed.period_kind = earlier.period_kind and signed.period_first_on = earlier.period_first_on
left join {{ ref('int_periods_changed') }} as changed
    on
        coalesce(signed.period_kind, earlier.period_kind) = changed.period_kind
        and coalesce(signed.period_first_on, earlier.period_first_on) = changed.period_first_on
