{{ config(
    meta={
        'check_id': 'FB-DBT-142',
        'title': 'Seeds name scores, items, versions and measures that exist',
        'severity': 'critical',
        'dimension': 'consistency',
        'owner': 'analytics-engineering',
        'why': 'A misspelt name joins with nothing: the item, class or measure is left out, and nobody notices.',
    }
) }}

-- Each seed, its columns, what they name, and of which rows that is asked.
{%- set score, version = ['score_slug', 'instrument_version'], ['instrument_slug', 'instrument_version'] -%}
{%- set references = [
    ('instrument_versions', ['instrument_slug'], 'instruments', ['instrument_slug'], 'true'),
    ('scores', version, 'instrument_versions', version, 'seed.instrument_slug is not null'),
    ('scores', score, 'score_items', score, "seed.scoring_rule not in ('reading', 'change')"),
    ('score_items', score, 'scores', score, 'true'),
    ('item_recodes', version, 'instrument_versions', version, 'true'),
    ('item_recodes', ['instrument_version', 'item_slug'], 'score_items', ['instrument_version', 'item_slug'], 'true'),
    ('score_classes', ['score_slug'], 'scores', ['score_slug'], 'true'),
    ('code_classes', ['score_slug'], 'scores', ['score_slug'], 'true'),
    ('score_differences', score, 'scores', score, 'true'),
    ('score_conversions', score, 'scores', score, 'true'),
    ('composites', ['member_score_slug', 'instrument_version'], 'scores', score, 'true'),
    ('measures', ['score_slug', 'measure_version'], 'int_scores_ruled', ['score_slug', 'score_version'],
        'seed.score_slug is not null'),
    ('partnership_measures', ['measure_slug'], 'measures', ['measure_slug'], 'true'),
    ('partnership_topics', ['topic_slug'], 'topics', ['topic_slug'], 'true'),
] -%}

{% for name, columns, named, named_columns, condition in references %}
select
    '{{ name }}' as seed_name,
    seed.{{ columns | join(" || ' ' || seed.") }} as unknown_name
from {{ ref(name) }} as seed
left join {{ ref(named) }} as named
    on (seed.{{ columns | join(', seed.') }}) = (named.{{ named_columns | join(', named.') }})
where named.{{ named_columns[0] }} is null and {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
