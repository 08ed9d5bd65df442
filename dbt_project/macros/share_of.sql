{#- A share from its counts, 0 to 1, rounded to six decimals; null where the denominator is 0. -#}
{% macro share_of(numerator, denominator) -%}
    round({{ numerator }}::numeric / nullif({{ denominator }}, 0), 6)::numeric(7, 6)
{%- endmacro %}
