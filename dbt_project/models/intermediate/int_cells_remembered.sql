-- Of a cell that the publication before hid, or that attacks decided on: what of that holds now. A table: a
-- view would read the other slot, which the next run builds anew.
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
        max(overrides.decided_at) filter (where overrides.decision = 'withheld') as withheld_at,
        bool_or(overrides.decision = 'withheld' and publications.publication_id is null) as is_withheld_now
    from {{ ref('stg_audit__suppression_overrides') }} as overrides
    left join {{ ref('stg_audit__publications') }} as publications
        on publications.is_current and overrides.decided_at < publications.published_at
    where overrides.override_state = 'in_force'
    group by {{ cell_keys() | join(', ') }}
),

compared as (
    select
        counted.*,
        published_before.period_last_on,
        coalesce(published_before.is_suppressed, false) as was_hidden,
        coalesce(not published_before.is_suppressed, false) as was_shown,
        coalesce(published_before.counts = counted.counts, false) as is_unchanged,
        -- A new service that nobody answered of changes nothing.
        bool_or(coalesce(published_before.counts <> counted.counts, counted.counts[1] > 0))
            over (partition by counted.tree_key) as is_of_changed_tree
    from counted
    left join published_before
        on {{ same_cell('counted', 'published_before') }}
)

select
    compared.tree_key,
    compared.organisation_slug,
    compared.part_kind,
    compared.part_slug,
    compared.was_hidden,
    -- Once withheld in a closed period, always: shown in turn with others it would be given away. While a
    -- period runs, or has no date, a tree that grew is judged anew: some of what was withheld covers nothing.
    coalesce(
        decided.is_withheld_now
        or (
            compared.was_hidden
            and decided.withheld_at is not null
            and (
                compared.period_last_on < (decided.withheld_at at time zone 'UTC')::date
                or not compared.is_of_changed_tree
            )
        ),
        false
    ) as is_withheld,
    coalesce(decided.was_kept and compared.was_shown and compared.is_unchanged, false) as is_kept
from compared
left join decided
    on {{ same_cell('compared', 'decided') }}
where compared.was_hidden or decided.organisation_slug is not null
