-- Each theme with the theme that it lives on in: itself, or the one that people merged it into.
with recursive themes as (
    select
        theme_slug,
        merged_into_slug
    from {{ ref('stg_analysis__themes') }}
),

followed as (
    select
        theme_slug,
        theme_slug as surviving_theme_slug,
        merged_into_slug,
        array[theme_slug] as visited_slugs
    from themes

    union all

    select
        followed.theme_slug,
        themes.theme_slug as surviving_theme_slug,
        themes.merged_into_slug,
        followed.visited_slugs || themes.theme_slug as visited_slugs
    from followed
    inner join themes
        on
            followed.merged_into_slug = themes.theme_slug
            and themes.theme_slug <> all(followed.visited_slugs)
),

resolved as (
    select distinct on (theme_slug)
        theme_slug,
        surviving_theme_slug
    from followed
    order by theme_slug asc, cardinality(visited_slugs) desc
)

select * from resolved
