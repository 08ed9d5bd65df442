-- A theme's words are those of the current set, else of the newest set that holds it.
with newest_words as (
    select distinct on (set_members.theme_slug)
        set_members.theme_slug,
        array_to_string(set_members.theme_keywords, ', ') as theme_keywords
    from {{ ref('stg_analysis__theme_set_members') }} as set_members
    inner join {{ ref('stg_analysis__theme_sets') }} as theme_sets
        on set_members.theme_set_id = theme_sets.theme_set_id
    order by
        set_members.theme_slug asc,
        theme_sets.is_current desc,
        theme_sets.fitted_at desc,
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
        count(*) as comment_count,
        min(submitted_on) as first_seen_on,
        max(submitted_on) as last_seen_on
    from {{ ref('int_comments_scored') }}
    where theme_state = 'assigned'
    group by theme_slug
)

select
    themes.theme_slug,
    themes.theme_label,
    themes.theme_status,
    themes.merged_into_slug as merged_into_theme_slug,
    newest_words.theme_keywords,
    mentions.first_seen_on,
    mentions.last_seen_on,
    coalesce(mentions.comment_count, 0) as comment_count,
    current_members.theme_slug is not null as is_in_current_set
from {{ ref('stg_analysis__themes') }} as themes
left join newest_words on themes.theme_slug = newest_words.theme_slug
left join current_members on themes.theme_slug = current_members.theme_slug
left join mentions on themes.theme_slug = mentions.theme_slug
