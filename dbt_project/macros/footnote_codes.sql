{#-
  The codes of a figure's footnotes, each once, in order, with a space between; null without any. What is no list of codes is left
  to source_metadata: no sentence may stand in a column of codes.
-#}
{% macro footnote_codes(expressions) -%}
    (
        select string_agg(distinct codes.code, ' ' order by codes.code)
        from (values {% for expression in expressions %}({{ expression }}){{ ', ' if not loop.last }}{% endfor %})
            as notes (note)
        cross join regexp_split_to_table(trim(notes.note), '[\s,;]+') as codes (code)
        where trim(notes.note) ~ '^[0-9A-Za-z*]{1,3}([\s,;]+[0-9A-Za-z*]{1,3})*$'
    )
{%- endmacro %}
