with undone as (
    select
        theme_slug,
        max(decision_id) as undone_by_decision_id
    from {{ ref('stg_analysis__theme_decisions') }}
    where decision = 'undo'
    group by theme_slug
)

select
    decisions.decision_id,
    decisions.theme_slug,
    decisions.decision,
    decisions.theme_label,
    decisions.merged_into_slug as merged_into_theme_slug,
    decisions.decided_by,
    decisions.decision_reason,
    decisions.decided_at,
    (
        decisions.decision <> 'undo'
        and decisions.decision_id < coalesce(undone.undone_by_decision_id, 0)
    ) as is_undone
from {{ ref('stg_analysis__theme_decisions') }} as decisions
left join undone on decisions.theme_slug = undone.theme_slug
