{#- The state of a published cell: nothing to show a share of, held back, or shown. -#}
{% macro cell_state(is_suppressed, denominator) -%}
    case
        when {{ is_suppressed }} then 'suppressed'
        when {{ denominator }} = 0 then 'not_applicable'
        else 'value'
    end
{%- endmacro %}

{#- A number of a cell, null where the cell is held back: a suppressed number is never 0. -#}
{% macro unless_suppressed(is_suppressed, number) -%}
    case when not {{ is_suppressed }} then {{ number }} end
{%- endmacro %}
