select
    publication_id,
    marts_slot,
    run_id,
    theme_set_id,
    feedback_ledger_id,
    is_current,
    published_at
from {{ ref('stg_audit__publications') }}
