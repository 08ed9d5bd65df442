{{ config(materialized='table', post_hook='analyze {{ this }}') }}

{%- set relation -%}
    (
        select
            greatest(
                comment_cells.response_count - counted.response_count,
                (comment_cells.observation_count > counted.observation_count)::integer
            ) as other_count,
            counted.*,
            flags.is_suppressed and counted.response_count > 0 as is_hidden_with_comments,
            {{ remembered_flags() }}
        from {{ ref('int_score_cells_counted') }} as counted
        left join {{ ref('int_score_cells_counted') }} as comment_cells
            on
                'comment_sentiment' || substr(counted.tree_key, length(counted.score_slug) + 1)
                = comment_cells.tree_key
                and counted.organisation_slug = comment_cells.organisation_slug
                and counted.part_kind = comment_cells.part_kind
                and counted.part_slug = comment_cells.part_slug
                and comment_cells.score_slug = 'comment_sentiment'
        left join {{ ref('int_score_cells_suppressed') }} as flags
            on
                'comment_sentiment' || substr(counted.tree_key, length(counted.score_slug) + 1) = flags.tree_key
                and flags.tree_key like 'comment\_sentiment %'
                and counted.organisation_slug = flags.organisation_slug
                and counted.part_kind = flags.part_kind
                and counted.part_slug = flags.part_slug
        left join {{ ref('int_cells_remembered') }} as remembered
            on
                counted.tree_key = remembered.tree_key
                and counted.organisation_slug = remembered.organisation_slug
                and counted.part_kind = remembered.part_kind
                and counted.part_slug = remembered.part_slug
        where counted.is_side
    ) as sides
{%- endset %}

-- Who speaks of a side of partnership is hidden where those who wrote at all are: they are no fewer, and
-- what bounds a hidden number from below can give it away. Comments less those of a side are those of the
-- others, who must be as many; of two comments of a person one may speak of it.
{{ suppressed_cells(
    relation=relation,
    numerators=['favourable_sum', 'unfavourable_sum'],
    denominator='observation_count',
    others='other_count',
    minimum='min_responses',
    must_hide='is_hidden_with_comments',
    is_remembered=true,
) }}
