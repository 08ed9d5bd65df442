{{ config(
    severity='warn',
    meta={
        'check_id': 'FB-DBT-150',
        'title': 'Every attack lists as many recovered cells as it recovered',
        'severity': 'warning',
        'dimension': 'completeness',
        'owner': 'data-protection',
        'why': 'The gate and the auditor judge by the cells that are listed: one that is missing there was judged by nobody.',
    }
) }}

with listed as (
    select
        attack_id,
        count(*) as listed_count
    from {{ ref('fct_recovered_cells') }}
    group by attack_id
)

select attacks.attack_id
from {{ ref('fct_disclosure_attacks') }} as attacks
left join listed on attacks.attack_id = listed.attack_id
where attacks.recovered_count <> coalesce(listed.listed_count, 0)
