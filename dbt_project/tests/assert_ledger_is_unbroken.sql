{{ config(
    meta={
        'check_id': 'FB-DBT-009',
        'title': 'Every entry of the ledger is as it was written and follows the one before',
        'severity': 'critical',
        'dimension': 'accuracy',
        'owner': 'information-assurance',
        'why': 'A broken chain means that somebody changed the record of what was done.',
    }
) }}

select ledger_id
from {{ ref('fct_ledger') }}
where not is_chain_intact
