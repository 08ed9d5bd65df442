{#-
  An end of the 95 % interval of a score's statistic, from the columns statistic, numerator_sum, square_sum and
  observation_count of `relation`: Wilson's of a share, else of a mean. `side` is 'low' or 'high'.
-#}
{% macro statistic_bound(relation, side) -%}
    {%- set total, n = relation ~ '.numerator_sum', relation ~ '.observation_count' -%}
    {%- set mean_bound -%}
        {{ total }} / nullif({{ n }}, 0) {{ '-' if side == 'low' else '+' }}
        {{ spread_of_mean(total, relation ~ '.square_sum', n) }}
    {%- endset -%}
    case {{ relation }}.statistic
        when 'mean' then {{ mean_bound }}
        when 'net_share'
            then {{ 'greatest(-1' if side == 'low' else 'least(1' }}, {{ mean_bound }})
        else {{ wilson_bound(total, n, side) }}
    end
{%- endmacro %}
