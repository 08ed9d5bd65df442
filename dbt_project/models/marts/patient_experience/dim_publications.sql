{{ config(materialized='view') }}

-- What an analyst cites beside a number; on what grounds it was published stands in fct_publications.
-- A view: a publication is written down after its marts are built.
select
    publication_id,
    is_current,
    published_at,
    (published_at at time zone 'UTC')::date as published_on
from {{ ref('stg_audit__publications') }}
