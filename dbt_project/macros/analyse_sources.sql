{#-
  Renews PostgreSQL's statistics of every source table, in one statement; of those of changes alone in a run that goes on
  from an earlier one: a fifth more rows of the same kind are no other plan.
-#}
{% macro analyse_sources() -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set analysed = [] -%}
        {%- for source in graph.sources.values() -%}
            {#- A view has no statistics of its own. -#}
            {%- if not source.config.meta.get('is_view') and (not is_going_on() or source.name.endswith('_change')) -%}
                {%- do analysed.append(source.relation_name) -%}
            {%- endif -%}
        {%- endfor -%}
        analyze {{ analysed | join(', ') }}
    {%- endif -%}
{%- endmacro %}
