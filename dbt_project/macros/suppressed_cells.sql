{#-
  Which cells of a tree total > organisations > parts must not be published.

  `relation` holds one row per cell with the columns tree_key (one tree per measure and period),
  organisation_slug, part_kind, part_slug, response_count, `denominator` and `numerators`. Part 'all' stands
  for the organisation's total, 'all' twice for the tree's. An organisation may be broken down in several
  ways: parts of one part_kind (service, age_band, ...) add up to it. Cells of 0 are rows too.
  A numerator that is null everywhere is none. `minimum` is the fewest responses a cell may rest on, a number or a column of `relation`. `must_hide` is a
  condition on a row that hides it for reasons outside of its tree. Where `is_remembered`, a row says too: was_hidden, the edition
  before hid it; is_withheld and is_kept, an attack decided so (int_cells_remembered). The result has one row per
  cell of `relation` with the flags below, each named after its step of the rule (NHS England, Friends and Family Test):

  - is_below_minimum: 0 < response_count < minimum; 0 is shown. So is a cell of which `others` are so few.
  - is_second_smallest: the smallest sibling is below the minimum and this one, the second smallest, is not.
  - is_in_suppressed_parent: the parent is suppressed and this is one of its two smallest.
  - is_suppressed: any of these, or needed so that nothing hidden can be worked out from what is shown.
    The three steps alone leave gaps, which these close:
    - What is left of a parent after its shown children is as good as published, so it must itself reach
      the minimum and hold both some and not all of each numerator, where the parent's own figures do.
    - The hidden siblings may not be all alike, nor tie with a shown one: else their order gives them away.
    - Where hiding every child is not enough, the parent goes too.
    - Every cell of a hidden parent is hidden, its zeros too: they would say how many share the rest.

  `others` is for a tree whose cells are each a part of a published one: how many people, at the least, are in that
  one beside these; 0 where nobody is. Whole less part is as good as published, so what is hidden must leave the minimum
  of them too: else all who are hidden are in the part, or all but a few.

  Siblings are hidden from the smallest up, ties by name, zeros never counted. Beside those that must be hidden come first those
  that the edition before hid: had it shown them, or did this one, the two together would give the others away. The rule is
  attacked with every small table there is in tests/unit/marts/test_suppression_attack.py.

  What the attack withholds is suppressed whatever the rule says; what it keeps is shown, unless it is below the minimum.
-#}
{% macro suppressed_cells(
    relation, numerators, denominator, minimum, must_hide='false', others='null', is_remembered=false
) -%}
with cells as (
    select
        tree_key,
        organisation_slug,
        part_kind,
        part_slug,
        response_count,
        {{ minimum }} as minimum,
        {{ others }}::bigint as other_count,
        {{ denominator }}::bigint as denominator_count,
        {% for numerator in numerators -%}
        {{ numerator }}::bigint as numerator_{{ loop.index }},
        {% endfor -%}
        response_count > 0
        and least(response_count, nullif({{ others }}, 0)) < {{ minimum }} as is_below_minimum,
        {{ must_hide }} as is_hidden_elsewhere,
        {% for flag in ['was_hidden', 'is_withheld', 'is_kept'] -%}
        {{ flag if is_remembered else 'false as ' ~ flag }}{{ ', ' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
),

parts as (
    select
        *,
        concat_ws(' ', tree_key, organisation_slug, part_kind) as parent_key,
        part_slug as sibling_name,
        is_below_minimum or is_hidden_elsewhere as must_hide
    from cells
    where part_slug <> 'all'
),

{{ hidden_siblings('parts', numerators | length) }},

organisations as (
    select
        cells.*,
        cells.tree_key::text as parent_key,
        cells.organisation_slug as sibling_name,
        cells.is_below_minimum or cells.is_hidden_elsewhere or coalesce(children.parent_must_hide, false)
            as must_hide
    from cells
    left join (
        select
            tree_key,
            organisation_slug,
            bool_or(parent_must_hide) as parent_must_hide
        from parts_hidden
        group by tree_key, organisation_slug
    ) as children
        on
            cells.tree_key = children.tree_key
            and cells.organisation_slug = children.organisation_slug
    where cells.organisation_slug <> 'all' and cells.part_slug = 'all'
),

{{ hidden_siblings('organisations', numerators | length) }},

total_flags as (
    select
        cells.tree_key,
        cells.organisation_slug,
        cells.part_kind,
        cells.part_slug,
        cells.is_below_minimum,
        false as is_second_smallest,
        false as is_in_suppressed_parent,
        cells.is_below_minimum or cells.is_hidden_elsewhere or coalesce(children.parent_must_hide, false)
            as is_suppressed
    from cells
    left join (
        select
            tree_key,
            bool_or(parent_must_hide) as parent_must_hide
        from organisations_hidden
        group by tree_key
    ) as children on cells.tree_key = children.tree_key
    where cells.organisation_slug = 'all'
),

organisation_flags as (
    select
        children.tree_key,
        children.organisation_slug,
        children.part_kind,
        children.part_slug,
        children.is_below_minimum,
        children.is_second_smallest,
        parents.is_suppressed and children.is_of_two_smallest as is_in_suppressed_parent,
        parents.is_suppressed or children.is_hidden as is_suppressed
    from organisations_hidden as children
    inner join total_flags as parents on children.tree_key = parents.tree_key
),

part_flags as (
    select
        children.tree_key,
        children.organisation_slug,
        children.part_kind,
        children.part_slug,
        children.is_below_minimum,
        children.is_second_smallest,
        parents.is_suppressed and children.is_of_two_smallest as is_in_suppressed_parent,
        parents.is_suppressed or children.is_hidden as is_suppressed
    from parts_hidden as children
    inner join organisation_flags as parents
        on
            children.tree_key = parents.tree_key
            and children.organisation_slug = parents.organisation_slug
),

flags as (
    select * from total_flags
    union all
    select * from organisation_flags
    union all
    select * from part_flags
)

select
    cells.tree_key,
    cells.organisation_slug,
    cells.part_kind,
    cells.part_slug,
    flags.is_below_minimum,
    flags.is_second_smallest,
    flags.is_in_suppressed_parent,
    (flags.is_suppressed or cells.is_withheld)
    and (not cells.is_kept or (cells.response_count > 0 and cells.response_count < cells.minimum)) as is_suppressed
from cells
inner join flags
    on
        cells.tree_key = flags.tree_key
        and cells.organisation_slug = flags.organisation_slug
        and cells.part_kind = flags.part_kind
        and cells.part_slug = flags.part_slug
{%- endmacro %}


{#-
  The CTEs `<siblings>_ranked`, `_judged` and `_hidden`: how many of the smallest siblings of each parent
  are hidden when the parent is shown (is_hidden), and whether the parent must go too (parent_must_hide).
-#}
{% macro hidden_siblings(siblings, numerator_count) -%}
{{ siblings }}_ranked as (
    select
        *,
        row_number() over smallest_first as size_rank,
        sum(response_count) over smallest_first as running_responses,
        sum(other_count) over smallest_first as running_others,
        sum(denominator_count) over smallest_first as running_denominator,
        {% for index in range(1, numerator_count + 1) -%}
        sum(numerator_{{ index }}) over smallest_first as running_numerator_{{ index }},
        {% endfor -%}
        min(response_count) over smallest_first as running_smallest,
        max(response_count) over smallest_first as running_largest,
        max(response_count) filter (where not was_hidden) over smallest_first as running_largest_by_size,
        lead(response_count) over smallest_first as next_responses,
        lag(is_below_minimum) over smallest_first as is_smaller_below_minimum,
        count(*) filter (where response_count > 0) over all_siblings as sibling_count,
        count(*) filter (where must_hide) over all_siblings as must_hide_count,
        sum(response_count) over all_siblings as total_responses,
        sum(other_count) filter (where response_count > 0) over all_siblings as others_of_siblings,
        max(response_count) over all_siblings as largest_responses
    from {{ siblings }}
    window
        all_siblings as (partition by parent_key),
        smallest_first as (
            partition by parent_key
            order by response_count = 0, not must_hide, not was_hidden, response_count, sibling_name
        )
),

{{ siblings }}_judged as (
    select
        *,
        -- Hiding the siblings up to this one leaves no hidden number to be worked out.
        response_count > 0
        and size_rank >= greatest(must_hide_count, 2)
        and least(running_responses, running_others) >= minimum
        and case
            when size_rank = sibling_count then running_largest > 1
            else running_largest > running_smallest
                -- Those that were hidden before are not hidden for their size: it tells nothing of theirs.
                and coalesce(next_responses > running_largest_by_size, true)
        end
        {% for index in range(1, numerator_count + 1) -%}
        and coalesce(
            running_numerator_{{ index }} > 0 and running_numerator_{{ index }} < running_denominator, true
        )
        {% endfor -%}
        as is_safe_cut
    from {{ siblings }}_ranked
),

{{ siblings }}_hidden as (
    select
        *,
        must_hide_count > 0
        and not (
            sibling_count >= 2
            and least(total_responses, others_of_siblings) >= minimum
            and largest_responses > 1
        )
        as parent_must_hide,
        must_hide_count > 0
        and response_count > 0
        and size_rank <= coalesce(
            min(size_rank) filter (where is_safe_cut) over (partition by parent_key), sibling_count
        )
        as is_hidden,
        size_rank = 2
        and response_count > 0
        and not is_below_minimum
        and is_smaller_below_minimum
        as is_second_smallest,
        size_rank <= 2 and response_count > 0 as is_of_two_smallest
    from {{ siblings }}_judged
)
{%- endmacro %}


{#- What int_cells_remembered says of a cell; most it has no row of. -#}
{% macro remembered_flags() -%}
    {% for flag in ['was_hidden', 'is_withheld', 'is_kept'] -%}
    coalesce(remembered.{{ flag }}, false) as {{ flag }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
