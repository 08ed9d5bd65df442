{#- What is added up of every score: enough for shares, means and their intervals, of single scores and composites. -#}
{% macro score_sums() -%}
    {{ return([
        'observation_count', 'value_sum', 'value_square_sum', 'favourable_sum', 'favourable_square_sum',
        'unfavourable_sum', 'unfavourable_square_sum', 'product_sum',
    ]) }}
{%- endmacro %}

{#- The sums of a row of `relation`. -#}
{% macro score_sums_of(relation) -%}
    {% for column in score_sums() -%}
    {{ relation }}.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The sums of a group of rows; of each row as often as `times` says. -#}
{% macro added_score_sums(times=none) -%}
    {% for column in score_sums() -%}
    sum({{ times ~ ' * ' if times }}{{ column }}) as {{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The sums of nobody. -#}
{% macro no_score_sums() -%}
    {% for column in score_sums() -%}
    0 as {{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The attributes by which patients are told apart; a group is a value of one of them, never of two. -#}
{% macro patient_attributes() -%}
    {{ return(['age_band', 'sex', 'ethnic_group', 'deprivation_quintile', 'preferred_language', 'disability']) }}
{%- endmacro %}

{#- The kind of part that a row of grouping sets counts: service, or an attribute of patients. -#}
{% macro counted_part_kind() -%}
    case
        when grouping(service_slug) = 0 then 'service'
        {% for attribute in patient_attributes() -%}
        when grouping({{ attribute }}) = 0 then '{{ attribute }}'
        {% endfor -%}
    end
{%- endmacro %}

{#- The grouping sets of parts: services, and the groups of patients by each attribute. -#}
{% macro counted_parts() -%}
    (service_slug), {% for attribute in patient_attributes() %}({{ attribute }}){{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#- What tells a counted cell from others. -#}
{% macro cell_keys() -%}
    {{ return([
        'score_slug', 'score_version', 'period_kind', 'period_first_on', 'organisation_slug', 'part_kind', 'part_slug',
    ]) }}
{%- endmacro %}

{#-
  The sums of a group of rows without digits that say nothing: where rows were taken away again, it is as if they had never
  been there.
-#}
{% macro trimmed_score_sums() -%}
    {% for column in score_sums() -%}
    trim_scale(sum({{ column }})) as {{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The sums of two rows, the second of which may not be there. -#}
{% macro changed_score_sums(change, earlier) -%}
    {% for column in score_sums() -%}
    trim_scale({{ change }}.{{ column }} + case when {{ earlier }}.score_slug is null then 0 else {{ earlier }}.{{ column }} end)
        as {{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- What is counted of an observation, and under what. -#}
{% macro observation_columns() -%}
    {%- set places = ['score_slug', 'score_version', 'period_kind', 'period_first_on', 'organisation_slug', 'service_slug'] -%}
    {{ return(places + patient_attributes() + score_sums()) }}
{%- endmacro %}

{#- Their names and types, of none. -#}
{% macro no_observation() -%}
    {% for column in observation_columns() -%}
    null::{{ 'date' if column == 'period_first_on' else 'numeric' if column in score_sums() else 'text' }} as {{ column }}
    {{- ', ' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
