-- Of a cell that the publication before hid in a closed period, or that attacks decided on: what of that
-- holds now. A table: a view would read the other slot, which the next run builds anew.
{{ config(materialized='table', post_hook='analyze {{ this }}') }}

with counted as (
    select
        {{ cell_keys() | join(', ') }},
        tree_key,
        {{ counts_of_cell() }} as counts
    from {{ ref('int_score_cells_counted') }}
),

published_before as (
    {{ cells_published_before() }}
),

decided as (
    select
        {{ cell_keys() | join(', ') }},
        bool_or(overrides.decision = 'kept') as was_kept,
        bool_or(overrides.decision = 'withheld') as was_withheld,
        bool_or(overrides.decision = 'withheld' and publications.publication_id is null) as is_withheld_now
    from {{ ref('stg_audit__suppression_overrides') }} as overrides
    left join {{ ref('stg_audit__publications') }} as publications
        on publications.is_current and overrides.decided_at < publications.published_at
    where overrides.override_state = 'in_force'
    group by {{ cell_keys() | join(', ') }}
)

select
    counted.tree_key,
    counted.organisation_slug,
    counted.part_kind,
    counted.part_slug,
    coalesce(published_before.is_suppressed, false) as was_hidden,
    -- Once withheld in a closed period, always: shown in turn with others it would be given away.
    coalesce(decided.is_withheld_now or (decided.was_withheld and published_before.is_suppressed), false)
        as is_withheld,
    coalesce(
        decided.was_kept
        and not published_before.is_suppressed
        and published_before.counts = counted.counts,
        false
    ) as is_kept
from counted
left join published_before
    on {{ same_cell('counted', 'published_before') }}
left join decided
    on {{ same_cell('counted', 'decided') }}
where published_before.is_suppressed or decided.organisation_slug is not null
