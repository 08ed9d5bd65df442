select
    set_asides.set_aside_id,
    set_asides.delivery_id,
    deliveries.source_slug,
    deliveries.file_name,
    set_asides.record_number,
    set_asides.set_aside_level,
    set_asides.field_name,
    set_asides.check_id,
    check_definitions.title as check_title,
    check_definitions.severity,
    set_asides.reason,
    set_asides.set_aside_state,
    set_asides.decided_by,
    set_asides.decision_reason,
    set_asides.run_id,
    set_asides.set_aside_at,
    set_asides.decided_at
from {{ ref('stg_landing__set_asides') }} as set_asides
inner join {{ ref('stg_landing__deliveries') }} as deliveries
    on set_asides.delivery_id = deliveries.delivery_id
left join {{ ref('stg_audit__check_definitions') }} as check_definitions
    on set_asides.check_id = check_definitions.check_id
