-- A theme's words are those of the current set, of it or of what was merged into it; else of the newest set.
with shown_members as (
    select
        theme_set_id,
        theme_slug,
        theme_slug as shown_slug,
        theme_keywords,
        sample_member_count
    from {{ ref('stg_analysis__theme_set_members') }}
    union all
    select
        set_members.theme_set_id,
        set_members.theme_slug,
        resolved.surviving_theme_slug as shown_slug,
        set_members.theme_keywords,
        set_members.sample_member_count
    from {{ ref('stg_analysis__theme_set_members') }} as set_members
    inner join {{ ref('int_themes_resolved') }} as resolved
        on
            set_members.theme_slug = resolved.theme_slug
            and set_members.theme_slug <> resolved.surviving_theme_slug
),

newest_words as (
    select distinct on (shown_members.shown_slug)
        shown_members.shown_slug as theme_slug,
        array_to_string(shown_members.theme_keywords, ', ') as theme_keywords
    from shown_members
    inner join {{ ref('stg_analysis__theme_sets') }} as theme_sets
        on shown_members.theme_set_id = theme_sets.theme_set_id
    order by
        shown_members.shown_slug asc,
        theme_sets.is_current desc,
        shown_members.theme_slug = shown_members.shown_slug desc,
        theme_sets.fitted_at desc,
        shown_members.sample_member_count desc,
        theme_sets.theme_set_id asc
),

current_members as (
    select set_members.theme_slug
    from {{ ref('stg_analysis__theme_set_members') }} as set_members
    inner join {{ ref('int_model_versions_selected') }} as versions
        on set_members.theme_set_id = versions.theme_set_id
),

mentions as (
    select
        theme_slug,
        sum(comment_count)::bigint as comment_count,
        min(submitted_on) as first_seen_on,
        max(submitted_on) as last_seen_on
    from {{ ref('int_theme_days_counted') }}
    where theme_slug is not null
    group by theme_slug
)

select
    themes.theme_slug,
    themes.theme_label,
    themes.theme_status,
    themes.theme_level,
    coalesce(resolved.surviving_parent_slug, themes.parent_theme_slug) as parent_theme_slug,
    themes.merged_into_slug as merged_into_theme_slug,
    newest_words.theme_keywords,
    mentions.first_seen_on,
    mentions.last_seen_on,
    coalesce(mentions.comment_count, 0) as comment_count,
    current_members.theme_slug is not null as is_in_current_set,
    emerged.emerging_basis
from {{ ref('stg_analysis__themes') }} as themes
left join {{ ref('int_themes_resolved') }} as resolved on themes.theme_slug = resolved.theme_slug
left join newest_words on themes.theme_slug = newest_words.theme_slug
left join current_members on themes.theme_slug = current_members.theme_slug
left join mentions on themes.theme_slug = mentions.theme_slug
left join {{ ref('int_themes_emerged') }} as emerged on themes.theme_slug = emerged.theme_slug
