with recovered as (
    select
        attack_id,
        count(*) filter (where recovery = 'absence') as absence_count
    from {{ ref('stg_audit__recovered_cells') }}
    group by attack_id
),

overridden as (
    select
        attack_id,
        count(*) filter (where decision = 'withheld') as withheld_count,
        count(*) filter (where decision = 'kept') as kept_count
    from {{ ref('stg_audit__suppression_overrides') }}
    group by attack_id
),

counted as (
    select
        attacks.attack_id,
        attacks.run_id,
        attacks.marts_slot,
        attacks.earlier_publication_id,
        attacks.cell_count,
        attacks.suppressed_cell_count,
        attacks.undecided_cell_count,
        attacks.recovered_count,
        attacks.attacked_at,
        coalesce(recovered.absence_count, 0) as absence_count,
        coalesce(overridden.withheld_count, 0) as withheld_count,
        coalesce(overridden.kept_count, 0) as kept_count
    from {{ ref('stg_audit__disclosure_attacks') }} as attacks
    left join recovered on attacks.attack_id = recovered.attack_id
    left join overridden on attacks.attack_id = overridden.attack_id
)

select
    attack_id,
    run_id,
    marts_slot,
    earlier_publication_id,
    cell_count,
    suppressed_cell_count,
    undecided_cell_count,
    recovered_count,
    absence_count,
    withheld_count,
    kept_count,
    undecided_cell_count = 0 and recovered_count = absence_count as is_withstood,
    attacked_at
from counted
