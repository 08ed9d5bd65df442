{{ config(
    meta={
        'check_id': 'FB-DBT-006',
        'title': 'Every assigned comment has one primary theme mention, with its own theme',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'Two tables that disagree on what a comment is about give two answers to one question.',
    }
) }}

with assigned as (
    select
        comment_id,
        primary_theme_slug
    from {{ ref('fct_comments') }}
    where theme_state = 'assigned'
),

mentions as (
    select
        comment_id,
        theme_slug
    from {{ ref('fct_theme_mentions') }}
    where is_primary
)

select coalesce(assigned.comment_id, mentions.comment_id) as comment_id
from assigned
full outer join mentions on assigned.comment_id = mentions.comment_id
where
    assigned.comment_id is null
    or mentions.comment_id is null
    or assigned.primary_theme_slug is null
    or assigned.primary_theme_slug <> mentions.theme_slug
