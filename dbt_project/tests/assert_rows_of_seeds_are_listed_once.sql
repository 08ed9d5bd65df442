{{ config(
    meta={
        'check_id': 'FB-DBT-141',
        'title': 'No seed says the same thing twice',
        'severity': 'critical',
        'dimension': 'uniqueness',
        'owner': 'analytics-engineering',
        'why': 'An item that is listed twice counts twice in its score, and every score looks as it always did.',
    }
) }}

{%- set keys = {
    'instruments': ['instrument_slug'],
    'instrument_versions': ['instrument_slug', 'instrument_version'],
    'scores': ['score_slug', 'instrument_version'],
    'score_items': ['score_slug', 'instrument_version', 'item_slug'],
    'item_recodes': ['instrument_slug', 'instrument_version', 'item_slug', 'value_low'],
    'score_classes': ['score_slug', 'score_class'],
    'code_classes': ['score_slug', 'value_code'],
    'score_differences': ['score_slug', 'instrument_version', 'difference_kind'],
    'score_conversions': ['score_slug', 'instrument_version', 'raw_score'],
    'composites': ['composite_slug', 'instrument_version', 'member_score_slug'],
    'int_scores_ruled': ['score_slug', 'score_version'],
    'measures': ['measure_slug', 'measure_version'],
    'topics': ['topic_slug'],
    'partnership_topics': ['topic_slug', 'partnership_side'],
    'partnership_measures': ['measure_slug', 'partnership_side'],
    'reference_groups': ['stratum_attribute'],
    'eligible_patients': ['organisation_slug', 'service_slug', 'month_start_on', 'stratum_attribute', 'stratum'],
    'chart_rebases': ['measure_slug', 'organisation_slug', 'service_slug', 'theme_slug', 'topic_slug', 'rebase_on'],
    'actions': ['action_slug', 'measure_slug', 'organisation_slug', 'service_slug', 'theme_slug', 'topic_slug'],
} %}

{% for seed, columns in keys.items() %}
select
    '{{ seed }}' as seed_name,
    concat_ws(' ', {{ columns | join(', ') }}) as listed
from {{ ref(seed) }}
group by {{ columns | join(', ') }}
having count(*) > 1
{{ 'union all' if not loop.last }}
{% endfor %}
