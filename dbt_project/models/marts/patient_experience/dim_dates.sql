with bounds as (
    select
        date_trunc('month', min(first_submitted_on)) as first_at,
        date_trunc('month', max(last_submitted_on)) + interval '1 month' - interval '1 day' as last_at
    from {{ ref('int_places_counted') }}
),

days as (
    select generate_series(bounds.first_at, bounds.last_at, interval '1 day')::date as date_on
    from bounds
),

-- The NHS year runs from April to March.
with_year as (
    select
        date_on,
        extract(year from date_on - interval '3 months')::integer as financial_year_start
    from days
)

select
    date_on,
    date_trunc('week', date_on)::date as week_start_on,
    date_trunc('month', date_on)::date as month_start_on,
    date_trunc('quarter', date_on)::date as quarter_start_on,
    extract(year from date_on)::integer as calendar_year,
    extract(month from date_on)::integer as month_of_year,
    to_char(date_on, 'YYYY-MM') as month_label,
    extract(year from date_on)::text || ' Q' || extract(quarter from date_on)::text as quarter_label,
    financial_year_start::text
    || '/'
    || lpad(((financial_year_start + 1) % 100)::text, 2, '0') as financial_year_label,
    extract(isodow from date_on)::integer as iso_day_of_week,
    extract(isodow from date_on) >= 6 as is_weekend
from with_year
