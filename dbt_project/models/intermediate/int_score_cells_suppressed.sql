{{ config(materialized='table', post_hook='analyze {{ this }}') }}

{%- set relation -%}
    (
        select
            counted.*,
            {{ remembered_flags() }}
        from {{ ref('int_score_cells_counted') }} as counted
        left join {{ ref('int_cells_remembered') }} as remembered
            on
                counted.tree_key = remembered.tree_key
                and counted.organisation_slug = remembered.organisation_slug
                and counted.part_kind = remembered.part_kind
                and counted.part_slug = remembered.part_slug
        where not counted.is_side
    ) as scores
{%- endset %}

-- Which cells must not be published, and by which step of the rule; those of the sides of partnership follow.
{{ suppressed_cells(
    relation=relation,
    numerators=[
        '(case when has_classes then favourable_sum end)', '(case when has_classes then unfavourable_sum end)',
    ],
    denominator='observation_count',
    minimum='min_responses',
    is_remembered=true,
) }}
