{#- Renews PostgreSQL's statistics of every source table, in one statement. -#}
{% macro analyse_sources() -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        analyze {% for source in graph.sources.values() -%}
            {{ source.relation_name }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
