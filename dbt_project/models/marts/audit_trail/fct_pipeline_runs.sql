select
    pipeline_run_id,
    dag_id,
    run_id,
    task_id,
    try_number,
    partition_number,
    run_type,
    run_state,
    error_kind,
    row_count,
    counts,
    data_interval_started_at,
    data_interval_ended_at,
    started_at,
    finished_at,
    extract(epoch from finished_at - started_at)::double precision as duration_seconds
from {{ ref('stg_audit__pipeline_runs') }}
