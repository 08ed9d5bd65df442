{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Which yearly cells must not be published, and by which step of the rule.
{{ suppressed_cells(
    relation=ref('int_year_cells_counted'),
    numerators=[
        '(case when has_classes then favourable_sum end)', '(case when has_classes then unfavourable_sum end)',
    ],
    denominator='observation_count',
    minimum='min_responses',
    must_hide='gives_months_away',
) }}
