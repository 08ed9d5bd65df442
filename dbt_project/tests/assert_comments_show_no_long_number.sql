{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-005',
        'title': 'No listed comment shows a run of ten or more digits',
        'severity': 'warning',
        'dimension': 'validity',
        'owner': 'information-assurance',
        'why': 'Telephone, NHS and personal numbers have ten digits or more; look at the redaction rules.',
    }
) }}

select comment_id
from {{ ref('fct_comments') }}
where
    comment_text ~ '(\d[ -]?){9}\d'
    and {{ is_to_build('comment_id', 'comment_id') }}
