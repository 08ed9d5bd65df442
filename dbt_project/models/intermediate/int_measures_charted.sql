{{ config(materialized='table') }}

{{ xmr_chart(
    points=ref('int_measure_series'),
    breaks=['measure_version', 'rebase_on'],
    max_gap_months=var('chart_max_gap_months'),
    min_points=var('chart_min_points'),
    is_screened=var('chart_is_screened'),
) }}
