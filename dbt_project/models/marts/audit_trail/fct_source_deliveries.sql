with records_by_state as (
    select
        delivery_id,
        count(*) filter (where record_state = 'accepted') as accepted_count,
        count(*) filter (where record_state = 'set_aside') as set_aside_count,
        count(*) filter (where record_state = 'duplicate') as duplicate_count,
        count(*) filter (where record_state = 'withdrawn') as withdrawn_count,
        count(*) filter (where record_state = 'pending') as pending_count
    from {{ ref('stg_landing__records') }}
    group by delivery_id
),

values_set_aside as (
    select
        delivery_id,
        count(*) as value_set_aside_count
    from {{ ref('stg_landing__set_asides') }}
    where set_aside_level = 'value' and set_aside_state = 'set_aside'
    group by delivery_id
),

accounts as (
    select
        deliveries.delivery_id,
        deliveries.source_slug,
        deliveries.file_name,
        deliveries.file_sha256,
        deliveries.file_size_bytes,
        deliveries.declaration_sha256,
        deliveries.encoding,
        deliveries.delivery_state,
        deliveries.refusal_reason,
        -- A file that no reader can open has no count: nothing was received from it.
        coalesce(deliveries.received_count, 0) as received_count,
        array_to_string(deliveries.missing_columns, ', ') as missing_columns,
        array_to_string(deliveries.unknown_columns, ', ') as unknown_columns,
        deliveries.source_count,
        deliveries.extracted_count,
        coalesce(records_by_state.accepted_count, 0) as accepted_count,
        coalesce(records_by_state.set_aside_count, 0) as set_aside_count,
        coalesce(records_by_state.duplicate_count, 0) as duplicate_count,
        coalesce(records_by_state.withdrawn_count, 0) as withdrawn_count,
        coalesce(records_by_state.pending_count, 0) as pending_count,
        coalesce(values_set_aside.value_set_aside_count, 0) as value_set_aside_count,
        deliveries.file_modified_at,
        deliveries.landed_at,
        deliveries.decided_at,
        deliveries.last_seen_at
    from {{ ref('stg_landing__deliveries') }} as deliveries
    left join records_by_state on deliveries.delivery_id = records_by_state.delivery_id
    left join values_set_aside on deliveries.delivery_id = values_set_aside.delivery_id
)

select
    delivery_id,
    source_slug,
    file_name,
    file_sha256,
    file_size_bytes,
    declaration_sha256,
    encoding,
    delivery_state,
    refusal_reason,
    missing_columns,
    unknown_columns,
    received_count,
    source_count,
    extracted_count,
    accepted_count,
    set_aside_count,
    duplicate_count,
    withdrawn_count,
    pending_count,
    value_set_aside_count,
    received_count = accepted_count + set_aside_count + duplicate_count + withdrawn_count as is_balanced,
    file_modified_at,
    landed_at,
    decided_at,
    last_seen_at
from accounts
