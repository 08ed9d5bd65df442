{{ config(
    meta={
        'check_id': 'FB-DBT-099',
        'title': 'The conflicts are the comments that are at odds with their rating',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'Two lists of the same thing that differ are two truths.',
    }
) }}

with at_odds as (
    select comment_id
    from {{ ref('fct_comments') }}
    where is_at_odds_with_rating
)

select
    at_odds.comment_id as listed_comment_id,
    conflicts.comment_id as conflicting_comment_id
from at_odds
full outer join {{ ref('fct_rating_conflicts') }} as conflicts on at_odds.comment_id = conflicts.comment_id
where at_odds.comment_id is null or conflicts.comment_id is null
