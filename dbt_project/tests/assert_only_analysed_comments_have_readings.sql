{{ config(
    meta={
        'check_id': 'FB-DBT-007',
        'title': 'Comments have a sentiment where they are analysed and nowhere else',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A blank or unread comment with a sentiment is a guess that is counted as a patient\'s word.',
    }
) }}

select comment_id
from {{ ref('fct_comments') }}
where
    (analysis_state = 'analysed') <> (sentiment_label is not null)
    or (analysis_state = 'analysed') <> (sentiment_score is not null)
    or (analysis_state = 'analysed') <> (embedding_model_version is not null)
    or (comment_state = 'blank') <> (analysis_state = 'blank')
    or (analysis_state <> 'analysed' and theme_state <> 'not_read')
