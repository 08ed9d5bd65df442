select
    check_id,
    title,
    why,
    tool,
    gate,
    checked_table,
    dimension,
    severity,
    effect,
    owner,
    is_active
from {{ ref('stg_audit__check_definitions') }}
