select
    check_results.check_result_id,
    check_results.run_id,
    check_results.check_id,
    check_definitions.title as check_title,
    check_results.tool,
    check_results.gate,
    check_definitions.checked_table,
    check_results.checked_subject,
    check_definitions.dimension,
    check_results.severity,
    check_results.effect,
    check_results.outcome,
    check_results.evaluated_count,
    check_results.unexpected_count,
    check_results.outcome_note,
    check_results.checked_at
from {{ ref('stg_audit__check_results') }} as check_results
left join {{ ref('stg_audit__check_definitions') }} as check_definitions
    on check_results.check_id = check_definitions.check_id
