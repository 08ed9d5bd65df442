{#- A setting as an SQL text, null where it is not set. -#}
{% macro text_literal(value) -%}
    {%- if value is none -%}
        null::text
    {%- else -%}
        '{{ value | string | replace("'", "''") }}'::text
    {%- endif -%}
{%- endmacro %}

{#- A list of texts as an SQL array. -#}
{% macro text_array_literal(values) -%}
    array[{% for value in values %}{{ text_literal(value) }}{{ ', ' if not loop.last }}{% endfor %}]::text[]
{%- endmacro %}
