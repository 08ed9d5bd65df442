{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-151',
        'title': 'Whatever was published had withstood its last attack',
        'severity': 'critical',
        'dimension': 'accuracy',
        'owner': 'data-protection',
        'why': 'An edition that went past the gate is out, and holds numbers that can be worked out, or may. It is reported: to stop the next one would leave it published.',
    }
) }}

-- What was published before marts were attacked at all is not meant.
with first_attacks as (
    select min(attacked_at) as attacked_at from {{ ref('fct_disclosure_attacks') }}
)

select publications.publication_id
from {{ ref('fct_publications') }} as publications
left join {{ ref('fct_disclosure_attacks') }} as attacks on publications.attack_id = attacks.attack_id
cross join first_attacks
where
    publications.published_at > first_attacks.attacked_at
    and attacks.is_withstood is not true
