{{ config(
    meta={
        'check_id': 'FB-DBT-122',
        'title': 'An effect is called one only where the interval or the signal says so',
        'severity': 'critical',
        'dimension': 'accuracy',
        'owner': 'analytics-engineering',
        'why': 'People are told that their words led to something: chance must not be sold as an effect.',
    }
) }}

select
    action_slug,
    measure_slug
from {{ ref('rpt_action_effects') }}
where
    (effect_class in ('too_little_data', 'no_clear_difference')) <> (effect_basis is null)
    or (
        effect_basis in ('interval', 'both')
        and (difference_low > 0 or difference_high < 0) is not true
    )
    or (effect_basis in ('signal', 'both') and signal_direction is null)
    or (effect_class <> 'too_little_data' and difference is null)
