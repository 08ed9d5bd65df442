with source as (
    select * from {{ source('feedback', 'response_change') }}
),

renamed as (
    select
        response_id,
        changed_in
    from source
)

select * from renamed
