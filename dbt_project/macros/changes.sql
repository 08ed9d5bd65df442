{#-
  Incremental builds. A run that goes on from an earlier one in the same slot has FEEDBACK_CHANGED_SINCE in its environment,
  the transactions that the earlier one could see; every other run builds everything. What such a run reads anew stands in
  int_responses_changed, int_comments_changed and int_periods_changed.

  It is no variable of dbt, and not looked at while dbt parses: another value would have it parse the whole project again.
-#}
{% macro changed_since() -%}
    {{ return(env_var('FEEDBACK_CHANGED_SINCE', '')) }}
{%- endmacro %}

{% macro is_going_on() -%}
    {#- sqlfluff knows no `execute`, and needs a condition to be there. -#}
    {{ return(execute is not defined or (execute and changed_since() != '')) }}
{%- endmacro %}

{#- Condition on a row of changes: made after the earlier run, or while it ran. -#}
{% macro is_changed_since(column) -%}
    {%- if is_going_on() -%}
    -- The first line lets the index help.
    {{ column }} >= pg_snapshot_xmin({{ text_literal(changed_since()) }}::pg_snapshot)
    and not pg_visible_in_snapshot({{ column }}, {{ text_literal(changed_since()) }}::pg_snapshot)
    -- Restored rows bear the numbers of another server's transactions.
    and {{ column }} < pg_snapshot_xmax(pg_current_snapshot())
    {%- else -%}
    false
    {%- endif -%}
{%- endmacro %}

{#-
  Condition on `column`, a response_id or comment_id: its row is to be built. The list is not a ref, since a unit test
  would have to be given it, and an array, since the planner then finds the rows by their indexes. Of an array it expects
  ten: where that has it set each row beside each other one, the list is no array.
-#}
{% macro is_to_build(column, key='response_id', as_array=true) -%}
    {%- if is_going_on() -%}
    {%- set changed = 'select ' ~ key ~ ' from ' ~ this.include(identifier=false) ~ '.int_' ~ key[:-3] ~ 's_changed' -%}
    {{ column }} {{ '= any(array(' ~ changed ~ '))' if as_array else 'in (' ~ changed ~ ')' }}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{#-
  Hook of an incremental model: the rows that it builds anew go first, all of them in a run from nothing. It is also
  what makes the model depend on the one that says which rows these are, and on one that reads them before they go.
-#}
{% macro forget(key, read_by=none) -%}
    {%- set reader = ref(read_by) if read_by else none -%}
    {%- set changed = {'response_id': ref('int_responses_changed'), 'comment_id': ref('int_comments_changed')}[key] -%}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }} {%- if is_going_on() %} where {{ is_to_build(key, key) }}{% endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The same two for models that are built by period: those in which responses changed, or those in which cells did. -#}
{% macro is_in_period_to_build(
    changed='int_periods_changed', period_kind='period_kind', period_first_on='period_first_on'
) -%}
    {%- if is_going_on() -%}
    ({{ period_kind }}, coalesce({{ period_first_on }}, '-infinity'::date)) in (
        select
            changed.period_kind,
            changed.period_first_on
        from {{ this.include(identifier=false) }}.{{ changed }} as changed
        where changed.is_changed
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro forget_periods(changed='int_periods_changed') -%}
    {%- set depends_on = ref(changed) -%}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }} {%- if is_going_on() %} where {{ is_in_period_to_build(changed) }}{% endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The same for what is added up by cell: those that gain or lose an observation. -#}
{% macro forget_cells() -%}
    {%- set changed = ref('int_score_cells_changed') -%}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }} as earlier
        {%- if is_going_on() %} using {{ changed }} as changed where {{ same_cell('earlier', 'changed') }}{% endif -%}
    {%- endif -%}
{%- endmacro %}
