{{ config(
    meta={
        'check_id': 'FB-DBT-133',
        'title': 'A published measure has a value where one was published, and no number in its place elsewhere',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A withheld number that becomes a 0 or keeps an interval was filled in by somebody.',
    }
) }}

select figure_id
from {{ ref('rpt_published_measures') }}
where
    (cell_state = 'value') <> (measure_value is not null)
    or (cell_state = 'value') <> (published_value is not null)
    or (numerator_count is null) <> (denominator_count is null)
    or (numerator_count is null) <> (interval_low is null)
    or (numerator_count is null) <> (interval_high is null)
    or (cell_state <> 'value' and num_nonnulls(numerator_count, recomputed_value) > 0)
