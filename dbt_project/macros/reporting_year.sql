{#- First day of the reporting year that a day lies in; the year starts in the month of the setting. -#}
{% macro reporting_year_of(day) -%}
    {%- set months = var('reporting_year_first_month') | int - 1 -%}
    (date_trunc('year', {{ day }} - interval '{{ months }} months') + interval '{{ months }} months')::date
{%- endmacro %}
