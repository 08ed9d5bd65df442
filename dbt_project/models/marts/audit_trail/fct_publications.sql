-- A candidate that was mended is attacked again: the last attack was on what was then published.
with last_attacks as (
    select distinct on (publications.publication_id)
        publications.publication_id,
        attacks.attack_id
    from {{ ref('stg_audit__publications') }} as publications
    inner join {{ ref('stg_audit__disclosure_attacks') }} as attacks
        on
            publications.run_id = attacks.run_id
            and publications.marts_slot = attacks.marts_slot
            and publications.published_at >= attacks.attacked_at
    order by publications.publication_id asc, attacks.attacked_at desc, attacks.attack_id asc
)

select
    publications.publication_id,
    publications.marts_slot,
    publications.run_id,
    publications.theme_set_id,
    publications.feedback_ledger_id,
    publications.is_current,
    publications.published_at,
    last_attacks.attack_id
from {{ ref('stg_audit__publications') }} as publications
left join last_attacks on publications.publication_id = last_attacks.publication_id
