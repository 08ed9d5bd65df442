{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Which monthly cells must not be published, and by which step of the rule.
{{ suppressed_cells(
    relation="(select * from " ~ ref('int_score_cells_counted') ~ " where period_kind = 'month') as monthly",
    numerators=[
        '(case when has_classes then favourable_sum end)', '(case when has_classes then unfavourable_sum end)',
    ],
    denominator='observation_count',
    minimum='min_responses',
) }}
