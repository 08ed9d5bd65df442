{#-
  Half the width of the interval of a mean of n values, from their sum and their sum of squares: t s / sqrt(n).
  Null for fewer than two values.
-#}
{% macro spread_of_mean(value_sum, square_sum, n) -%}
    {{ t_quantile('(' ~ n ~ ' - 1)') }} * sqrt(
        greatest({{ square_sum }} - {{ value_sum }} ^ 2 / nullif({{ n }}, 0), 0)
        / nullif({{ n }} - 1, 0) / nullif({{ n }}, 0)
    )
{%- endmacro %}
