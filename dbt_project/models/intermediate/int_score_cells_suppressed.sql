{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- Which cells must not be published, and by which step of the rule; those of the sides of partnership follow.
{{ suppressed_cells(
    relation="(select * from " ~ ref('int_score_cells_counted') ~ " where not is_side) as counted",
    numerators=[
        '(case when has_classes then favourable_sum end)', '(case when has_classes then unfavourable_sum end)',
    ],
    denominator='observation_count',
    minimum='min_responses',
) }}
