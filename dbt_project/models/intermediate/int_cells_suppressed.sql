-- Which cells of all scores must not be published, and by which step of the rule.
with of_scores as (
    select * from {{ ref('int_score_cells_suppressed') }}
),

of_sides as (
    select * from {{ ref('int_side_cells_suppressed') }}
),

flags as (
    select * from of_scores
    union all
    select * from of_sides
)

select
    tree_key,
    organisation_slug,
    part_kind,
    part_slug,
    is_below_minimum,
    is_second_smallest,
    is_in_suppressed_parent,
    is_suppressed
from flags
