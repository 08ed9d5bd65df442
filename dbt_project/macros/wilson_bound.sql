{#-
  A bound of the Wilson score interval of a share, rounded to six decimals; null where the denominator is 0.
  (2O + z^2 -+ z sqrt(z^2 + 4 O q)) / (2 (n + z^2)), q = 1 - O/n. `side` is 'low' or 'high'.
-#}
{% macro wilson_bound(numerator, denominator, side) -%}
    {%- if side not in ('low', 'high') -%}
        {{ exceptions.raise_compiler_error("wilson_bound: side is '" ~ side ~ "', give 'low' or 'high'") }}
    {%- endif -%}
    {%- set z = var('wilson_z') -%}
    round(
        (
            (
                2 * {{ numerator }} + {{ z }} ^ 2
                {{ '-' if side == 'low' else '+' }} {{ z }} * sqrt(
                    {{ z }} ^ 2
                    + 4 * {{ numerator }} * (1 - {{ numerator }}::numeric / nullif({{ denominator }}, 0))
                )
            ) / (2 * (nullif({{ denominator }}, 0) + {{ z }} ^ 2))
        )::numeric,
        6
    )::numeric(7, 6)
{%- endmacro %}
