{#- Renews PostgreSQL's statistics of every source table, in one statement. -#}
{% macro analyse_sources() -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {#- A view has no statistics of its own. -#}
        analyze {% for source in graph.sources.values() if not source.config.meta.get('is_view') -%}
            {{ source.relation_name }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
