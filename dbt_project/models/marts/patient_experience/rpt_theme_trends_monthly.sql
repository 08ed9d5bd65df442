with comments as (
    select
        month_start_on,
        organisation_slug,
        theme_slug
    from {{ ref('int_comments_scored') }}
    where analysis_state = 'analysed'
),

organisation_cells as (
    select
        cells.period_first_on as month_start_on,
        cells.organisation_slug,
        cells.response_count,
        cells.observation_count as comment_count,
        cells.is_suppressed,
        versions.theme_set_id
    from {{ ref('int_cells_suppressed') }} as cells
    -- Before the first theme set there is no theme to show a share of.
    inner join {{ ref('int_model_versions_selected') }} as versions on versions.theme_set_id is not null
    -- Themes share the flags of sentiment: what one hides the other would tell.
    where
        cells.score_slug = 'comment_sentiment'
        and cells.period_kind = 'month'
        and cells.part_kind = 'all'
),

-- What a row can be about: each theme that has comments, and the comments near to no theme.
themes as (
    select distinct
        theme_slug,
        case when theme_slug is null then 'unassigned_theme_share' else 'theme_share' end as measure_slug,
        coalesce(theme_slug, '') as theme_key
    from comments
),

mentions as (
    select
        month_start_on,
        case
            when grouping(organisation_slug) = 1 then 'all' else coalesce(organisation_slug, 'not_stated')
        end as organisation_slug,
        coalesce(theme_slug, '') as theme_key,
        count(*) as mention_count
    from comments
    group by grouping sets (
        (month_start_on, organisation_slug, theme_slug),
        (month_start_on, theme_slug)
    )
),

measured as (
    select
        organisation_cells.month_start_on,
        organisation_cells.organisation_slug,
        themes.theme_slug,
        themes.measure_slug,
        organisation_cells.response_count,
        organisation_cells.comment_count,
        organisation_cells.is_suppressed,
        organisation_cells.theme_set_id,
        coalesce(mentions.mention_count, 0) as mention_count
    from organisation_cells
    cross join themes
    left join mentions
        on
            coalesce(organisation_cells.month_start_on, '-infinity'::date)
            = coalesce(mentions.month_start_on, '-infinity'::date)
            and organisation_cells.organisation_slug = mentions.organisation_slug
            and themes.theme_key = mentions.theme_key
)

select
    month_start_on,
    organisation_slug,
    theme_slug,
    measure_slug,
    {{ unless_suppressed('is_suppressed', 'mention_count') }} as numerator_count,
    {{ unless_suppressed('is_suppressed', 'comment_count') }}::bigint as denominator_count,
    {{ unless_suppressed('is_suppressed', 'response_count') }} as response_count,
    {{ unless_suppressed('is_suppressed', share_of('mention_count', 'comment_count')) }} as share,
    {{ unless_suppressed('is_suppressed', wilson_bound('mention_count', 'comment_count', 'low')) }}
        as wilson_low,
    {{ unless_suppressed('is_suppressed', wilson_bound('mention_count', 'comment_count', 'high')) }}
        as wilson_high,
    {{ cell_state('is_suppressed', 'comment_count') }} as cell_state,
    theme_set_id
from measured
