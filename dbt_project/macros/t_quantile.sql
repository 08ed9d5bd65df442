{#-
  The quantile of Student's t that belongs to `wilson_z`, by the expansion in 1 / degrees of freedom (Fisher and Cornish 1960): to
  within .001 from four degrees on, too small below. Null for none.
-#}
{% macro t_quantile(degrees) -%}
    {%- set z = var('wilson_z') | float -%}
    {%- set quantile = namespace(terms='0') -%}
    {%- for term in [
        (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
        (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
        (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
        (z ** 3 + z) / 4,
    ] -%}
        {%- set quantile.terms = '(' ~ quantile.terms ~ ' + ' ~ term | round(6) ~ ') / nullif(' ~ degrees ~ ', 0)' -%}
    {%- endfor -%}
    ({{ z }} + {{ quantile.terms }})
{%- endmacro %}
