-- Each theme with the theme that it lives on in: itself, or the one that people merged it into.
with recursive themes as (
    select
        theme_slug,
        theme_level,
        theme_status,
        parent_theme_slug,
        merged_into_slug
    from {{ ref('stg_analysis__themes') }}
),

followed as (
    select
        theme_slug,
        theme_slug as last_theme_slug,
        merged_into_slug,
        array[theme_slug] as visited_slugs
    from themes

    union all

    select
        followed.theme_slug,
        themes.theme_slug as last_theme_slug,
        themes.merged_into_slug,
        followed.visited_slugs || themes.theme_slug as visited_slugs
    from followed
    inner join themes
        on
            followed.merged_into_slug = themes.theme_slug
            and themes.theme_slug <> all(followed.visited_slugs)
),

chain_ends as (
    select distinct on (theme_slug)
        theme_slug,
        last_theme_slug
    from followed
    order by theme_slug asc, cardinality(visited_slugs) desc
),

-- Where the last of a chain is retired nothing lives on: what people retired is shown nowhere.
survivors as (
    select
        chain_ends.theme_slug,
        last_themes.theme_level,
        last_themes.parent_theme_slug,
        case when coalesce(last_themes.theme_status, '') <> 'retired' then chain_ends.last_theme_slug end
            as surviving_theme_slug
    from chain_ends
    inner join themes as last_themes on chain_ends.last_theme_slug = last_themes.theme_slug
),

resolved as (
    select
        survivors.theme_slug,
        survivors.theme_level,
        parents.surviving_theme_slug as surviving_parent_slug,
        case
            when survivors.parent_theme_slug is null or parents.surviving_theme_slug is not null
                then survivors.surviving_theme_slug
        end as surviving_theme_slug
    from survivors
    left join survivors as parents on survivors.parent_theme_slug = parents.theme_slug
)

select * from resolved
