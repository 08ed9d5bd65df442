{{ config(
    meta={
        'check_id': 'FB-DBT-004',
        'title': 'No listed comment shows an e-mail address',
        'severity': 'critical',
        'dimension': 'validity',
        'owner': 'information-assurance',
        'why': 'Everything downstream of acceptance sees redacted text: an address means that redaction did not run.',
    }
) }}

select comment_id
from {{ ref('fct_comments') }}
where
    comment_text ~ '[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}'
    and {{ is_to_build('comment_id', 'comment_id') }}
