{#-
  A bound of the interval of the difference of two independent estimates (later less earlier), from their own intervals.

  For two shares with Wilson intervals it is Newcombe's hybrid score interval (Statistics in Medicine 1998;17:873-890,
  method 10). For two means with intervals of z standard errors it is z times the root of the added squared standard
  errors. `side` is 'low' or 'high'; `earlier` and `later` are relations with the columns value, low, high.
-#}
{% macro difference_bound(earlier, later, side) -%}
    {%- if side not in ('low', 'high') -%}
        {{ exceptions.raise_compiler_error("difference_bound: side is '" ~ side ~ "', give 'low' or 'high'") }}
    {%- endif -%}
    {%- set other = 'high' if side == 'low' else 'low' -%}
    {{ later }}.value - {{ earlier }}.value {{ '-' if side == 'low' else '+' }} sqrt(
        ({{ later }}.value - {{ later }}.{{ side }}) ^ 2
        + ({{ earlier }}.{{ other }} - {{ earlier }}.value) ^ 2
    )
{%- endmacro %}
