-- Themes that are new in the current set, or whose share among recent comments rose beyond chance.
with analysed as (
    select
        theme_slug,
        analysed_count,
        submitted_on,
        max(submitted_on) over () as newest_on
    from {{ ref('int_theme_days_counted') }}
    where analysed_count > 0 and submitted_on is not null
),

periods as (
    select
        theme_slug,
        analysed_count,
        submitted_on > newest_on - {{ var('emerging_recent_days') }} as is_recent
    from analysed
    where submitted_on > newest_on - ({{ var('emerging_recent_days') }} + {{ var('emerging_compared_days') }})
),

totals as (
    select
        sum(analysed_count) filter (where is_recent)::double precision as recent_total,
        sum(analysed_count) filter (where not is_recent)::double precision as compared_total
    from periods
    where theme_slug is null
),

counted as (
    select
        theme_slug,
        coalesce(sum(analysed_count) filter (where is_recent), 0)::bigint as recent_count,
        coalesce(sum(analysed_count) filter (where not is_recent), 0)::bigint as compared_count
    from periods
    where theme_slug is not null
    group by theme_slug
),

shares as (
    select
        counted.theme_slug,
        counted.recent_count,
        counted.recent_count / nullif(totals.recent_total, 0) as recent_share,
        counted.compared_count / nullif(totals.compared_total, 0) as compared_share,
        (counted.recent_count + counted.compared_count)
        / nullif(totals.recent_total + totals.compared_total, 0) as pooled_share,
        1 / nullif(totals.recent_total, 0) + 1 / nullif(totals.compared_total, 0) as inverse_totals
    from counted
    cross join totals
),

-- A theme is new where the set before, of the same models, had none for its comments: a change of models
-- says nothing about patients.
new_themes as (
    select lineages.theme_slug
    from {{ ref('stg_analysis__theme_lineages') }} as lineages
    inner join {{ ref('stg_analysis__theme_sets') }} as theme_sets
        on lineages.theme_set_id = theme_sets.theme_set_id
    inner join {{ ref('stg_analysis__theme_sets') }} as previous_sets
        on
            theme_sets.previous_theme_set_id = previous_sets.theme_set_id
            and theme_sets.theme_model_version = previous_sets.theme_model_version
            and theme_sets.encoder_version = previous_sets.encoder_version
    where theme_sets.is_current and lineages.relation = 'new'
),

-- The difference of two shares in standard errors (pooled): at 3, one of 700 steady themes rises by chance.
rising_themes as (
    select theme_slug
    from shares
    where
        recent_count >= {{ var('emerging_min_comments') }}
        and recent_share - compared_share
        >= {{ var('emerging_standard_errors') }} * sqrt(pooled_share * (1 - pooled_share) * inverse_totals)
        and recent_share > compared_share
)

select
    theme_slug,
    'new_theme' as emerging_basis
from new_themes
union all
select
    theme_slug,
    'rising_share' as emerging_basis
from rising_themes
where theme_slug not in (select new_themes.theme_slug from new_themes)
