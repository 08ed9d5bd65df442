{#- Every model of a run goes into one schema, the slot: a configured schema is not appended. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema }}
{%- endmacro %}
