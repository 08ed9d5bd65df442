select
    override_id,
    attack_id,
    run_id,
    decision,
    override_state,
    score_slug,
    score_version,
    period_kind,
    period_first_on,
    organisation_slug,
    part_kind,
    part_slug,
    reason,
    decided_at
from {{ ref('stg_audit__suppression_overrides') }}
