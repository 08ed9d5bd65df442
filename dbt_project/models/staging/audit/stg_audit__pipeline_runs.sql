with source as (
    select * from {{ source('audit', 'pipeline_run') }}
),

renamed as (
    select
        -- ids
        pipeline_run_id,
        dag_id,
        run_id,
        task_id,
        try_number,
        partition_number,

        -- what ran
        run_type,
        run_state,
        error_kind,
        row_count,
        counts,

        -- times
        data_interval_start as data_interval_started_at,
        data_interval_end as data_interval_ended_at,
        started_at,
        finished_at
    from source
)

select * from renamed
