select
    cells.recovered_cell_id,
    cells.attack_id,
    attacks.run_id,
    cells.reports,
    cells.score_slug,
    cells.score_version,
    -- Which theme nobody raised would be the hidden number itself: 0.
    case when cells.recovery <> 'absence' then cells.quantity end as quantity,
    cells.recovery,
    cells.edition,
    cells.recovery <> 'absence' as is_harmful,
    cells.period_kind,
    cells.period_first_on,
    cells.organisation_slug,
    cells.service_slug,
    cells.stratum_attribute,
    cells.stratum,
    attacks.attacked_at
from {{ ref('stg_audit__recovered_cells') }} as cells
inner join {{ ref('stg_audit__disclosure_attacks') }} as attacks on cells.attack_id = attacks.attack_id
