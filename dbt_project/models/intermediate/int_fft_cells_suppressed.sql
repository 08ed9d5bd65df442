{{ config(materialized='table') }}

-- Which cells of the Friends and Family Test must not be published, and by which step of the rule.
{{ suppressed_cells(
    relation=ref('int_fft_cells_counted'),
    numerators=['positive_count', 'negative_count'],
    denominator='response_count',
    minimum=var('suppression_fft_min_responses'),
) }}
