{#- The fewest responses that a published cell may rest on: the setting's, or the instrument's own where it asks for more. -#}
{% macro min_responses(suppression_setting, min_report_count) -%}
    greatest(
        case {{ suppression_setting }}
            {% for setting in [
                'suppression_fft_min_responses',
                'suppression_survey_min_responses',
                'suppression_cms_min_responses',
                'suppression_comment_min_responses',
            ] -%}
            when '{{ setting }}' then {{ var(setting) }}
            {% endfor -%}
        end,
        {{ min_report_count }}
    )
{%- endmacro %}
