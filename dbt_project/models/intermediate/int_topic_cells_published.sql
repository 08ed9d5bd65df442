-- Of each shown month of an organisation, how many of its analysed comments speak of each topic. The flags
-- are those of sentiment and themes: were one of them shown and the other hidden, the hidden one's count
-- could be read beside it.
with shown_cells as (
    select
        cells.period_first_on as month_start_on,
        cells.organisation_slug,
        cells.observation_count::bigint as comment_count
    from {{ ref('int_cells_suppressed') }} as cells
    where
        cells.score_slug = 'comment_sentiment'
        and cells.period_kind = 'month'
        and cells.part_kind = 'all'
        and cells.observation_count > 0
        and not cells.is_suppressed
),

mentions as (
    select * from {{ ref('int_topic_cells_counted') }}
),

topics as (
    select distinct topic_slug from mentions
)

select
    shown_cells.month_start_on,
    shown_cells.organisation_slug,
    topics.topic_slug,
    'topic_share' as measure_slug,
    coalesce(mentions.mention_count, 0) as numerator_count,
    shown_cells.comment_count as denominator_count,
    {{ share_of('coalesce(mentions.mention_count, 0)', 'shown_cells.comment_count') }} as share
from shown_cells
cross join topics
left join mentions
    on
        coalesce(shown_cells.month_start_on, '-infinity'::date)
        = coalesce(mentions.period_first_on, '-infinity'::date)
        and shown_cells.organisation_slug = mentions.organisation_slug
        and topics.topic_slug = mentions.topic_slug
