{{ config(materialized='table') }}

-- Analysed comments, and the responses they come from, per month, organisation and service; 'all' is a total.
with analysed_comments as (
    select
        response_id,
        month_start_on,
        sentiment_label,
        coalesce(organisation_slug, 'not_stated') as organisation_slug,
        coalesce(service_slug, 'not_stated') as service_slug
    from {{ ref('int_comments_scored') }}
    where analysis_state = 'analysed'
),

counted as (
    select
        month_start_on,
        organisation_slug,
        service_slug,
        count(distinct response_id) as response_count,
        count(*) as comment_count,
        count(*) filter (where sentiment_label in ('positive', 'very_positive')) as positive_count,
        count(*) filter (where sentiment_label in ('negative', 'very_negative')) as negative_count
    from analysed_comments
    group by month_start_on, organisation_slug, service_slug
),

{{ rolled_up_cells('counted', ['response_count', 'comment_count', 'positive_count', 'negative_count']) }}

select * from rolled_up
