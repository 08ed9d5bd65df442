{{ config(materialized='table') }}

-- Friends and Family Test answers counted per month, organisation and service; 'all' is a total.
with answers as (
    select * from {{ ref('int_fft_answers_classified') }}
),

counted as (
    select
        month_start_on,
        organisation_slug,
        service_slug,
        count(*) as response_count,
        count(*) filter (where is_positive) as positive_count,
        count(*) filter (where is_negative) as negative_count
    from answers
    group by month_start_on, organisation_slug, service_slug
),

{{ rolled_up_cells('counted', ['response_count', 'positive_count', 'negative_count']) }}

select * from rolled_up
