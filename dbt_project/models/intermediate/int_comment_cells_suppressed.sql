{{ config(materialized='table') }}

-- Which figures drawn from comments must not be published. Sentiment and themes share these flags:
-- were one of them shown and the other hidden, the hidden one's count could be read beside it.
{{ suppressed_cells(
    relation=ref('int_comment_cells_counted'),
    numerators=['positive_count', 'negative_count'],
    denominator='comment_count',
    minimum=var('suppression_comment_min_responses'),
) }}
