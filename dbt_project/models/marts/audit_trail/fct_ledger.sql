with -- The hash is computed again from the entry's own content, as the ledger's trigger computed it.
recomputed as (
    select
        *,
        lag(entry_sha256) over (order by ledger_id) as expected_previous_sha256,
        encode(sha256(convert_to(concat_ws(
            '|', ledger_id::text, previous_sha256, action, subject, actor,
            run_id, row_count::text, details::text, extract(epoch from happened_at)::text
        ), 'UTF8')), 'hex') as expected_entry_sha256
    from {{ ref('stg_audit__ledger_entries') }}
)

select
    ledger_id,
    happened_at,
    action,
    subject,
    actor,
    run_id,
    row_count,
    details,
    previous_sha256,
    entry_sha256,
    (
        entry_sha256 = expected_entry_sha256
        and coalesce(previous_sha256, '') = coalesce(expected_previous_sha256, '')
    ) as is_chain_intact
from recomputed
