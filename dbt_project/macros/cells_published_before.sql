{#- That a row of each relation is about the same cell; undated ones too. -#}
{% macro same_cell(one, other) -%}
    {% for key in cell_keys() -%}
    {% if key == 'period_first_on' -%}
    coalesce({{ one }}.{{ key }}, '-infinity') = coalesce({{ other }}.{{ key }}, '-infinity')
    {%- else -%}
    {{ one }}.{{ key }} = {{ other }}.{{ key }}
    {%- endif %}
    {{- ' and ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- All that is counted of a cell, to be compared. -#}
{% macro counts_of_cell() -%}
    array[response_count, {{ score_sums() | join(', ') }}]::numeric[]
{%- endmacro %}

{#-
  Cells as the publication before counted and hid them, from the other slot, of periods that still run too. No rows where
  nothing is published there, or only by a version of this project whose cells had other columns.
-#}
{% macro cells_published_before() -%}
    {%- set publication = source('audit', 'publication') -%}
    {%- set nothing = ref('int_score_cells_counted') -%}
    {%- set found = namespace(relation=none) -%}
    {%- if execute -%}
        {%- set published = run_query(
            "select marts_slot from " ~ publication ~ " where is_current and marts_slot <> '" ~ target.schema ~ "'"
        ) -%}
        {%- set wanted = cell_keys() + score_sums() + ['period_last_on', 'response_count', 'is_suppressed'] -%}
        {%- for slot in published.columns[0].values() -%}
            {%- set relation = adapter.get_relation(target.database, slot, 'int_cells_suppressed') -%}
            {%- set columns = adapter.get_columns_in_relation(relation) | map(attribute='name') | list if relation else [] -%}
            {%- if wanted | reject('in', columns) | list | length == 0 -%}
                {%- set found.relation = relation -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    select
        {{ cell_keys() | join(', ') }},
        {{ counts_of_cell() }} as counts,
        {{ 'period_last_on, is_suppressed' if found.relation else 'null::date as period_last_on, false as is_suppressed' }}
    from {{ found.relation or nothing }}
    {{ '' if found.relation else 'where false' }}
{%- endmacro %}
