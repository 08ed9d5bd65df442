{{ config(
    materialized='incremental',
    pre_hook="{{ forget_periods('int_periods_reported') }}",
    indexes=[{'columns': ['partnership_side', 'organisation_slug', 'period_first_on']}],
) }}

with sides as (
    select distinct partnership_side from {{ ref('partnership_topics') }}
),

-- Every cell of analysed comments, and of those that speak of a side. A mention share shows no cell that the
-- sentiment of either hides: its counts are those that they are taken of.
comment_cells as (
    select * from {{ ref('int_cells_suppressed') }}
    where score_slug = 'comment_sentiment' and {{ is_in_period_to_build('int_periods_reported') }}
),

mention_cells as (
    select
        sides.partnership_side,
        comment_cells.period_kind,
        comment_cells.period_first_on,
        comment_cells.period_last_on,
        comment_cells.organisation_slug,
        comment_cells.service_slug,
        comment_cells.stratum_attribute,
        comment_cells.stratum,
        comment_cells.response_count,
        comment_cells.observation_count,
        comment_cells.is_suppressed
        or (comment_cells.observation_count > 0 and coalesce(side_cells.is_suppressed, false))
            as is_suppressed,
        coalesce(side_cells.observation_count, 0)::bigint as mention_count,
        coalesce(side_cells.response_count, 0) >= comment_cells.min_responses as has_exemplars
    from comment_cells
    cross join sides
    left join {{ ref('int_cells_suppressed') }} as side_cells
        on
            'side_' || sides.partnership_side = side_cells.score_slug
            and comment_cells.period_kind = side_cells.period_kind
            and coalesce(comment_cells.period_first_on, '-infinity'::date)
            = coalesce(side_cells.period_first_on, '-infinity'::date)
            and comment_cells.organisation_slug = side_cells.organisation_slug
            and comment_cells.part_kind = side_cells.part_kind
            and comment_cells.part_slug = side_cells.part_slug
),

exemplars as (
    select
        subject as partnership_side,
        period_kind,
        period_first_on,
        organisation_slug,
        service_slug,
        comment_ids
    from {{ ref('int_exemplars_ranked') }}
    where subject_kind = 'side'
),

said as (
    select
        mention_cells.partnership_side,
        'comments' as evidence_kind,
        mention_cells.partnership_side || '_mention_share' as measure_slug,
        '1' as measure_version,
        mention_cells.period_kind,
        mention_cells.period_first_on,
        mention_cells.period_last_on,
        mention_cells.organisation_slug,
        mention_cells.service_slug,
        mention_cells.stratum_attribute,
        mention_cells.stratum,
        {{ unless_suppressed('mention_cells.is_suppressed', 'mention_cells.mention_count') }}
            as numerator_count,
        {{ unless_suppressed('mention_cells.is_suppressed', 'mention_cells.observation_count') }}::bigint
            as denominator_count,
        {{ unless_suppressed('mention_cells.is_suppressed', 'mention_cells.response_count') }}
            as response_count,
        {{ unless_suppressed(
            'mention_cells.is_suppressed',
            share_of('mention_cells.mention_count', 'mention_cells.observation_count')
        ) }}::numeric(14, 6) as measure_value,
        'share 0-1' as unit,
        {{ unless_suppressed(
            'mention_cells.is_suppressed',
            wilson_bound('mention_cells.mention_count', 'mention_cells.observation_count', 'low')
        ) }}::numeric(14, 6) as interval_low,
        {{ unless_suppressed(
            'mention_cells.is_suppressed',
            wilson_bound('mention_cells.mention_count', 'mention_cells.observation_count', 'high')
        ) }}::numeric(14, 6) as interval_high,
        {{ cell_state('mention_cells.is_suppressed', 'mention_cells.observation_count') }} as cell_state,
        case
            when mention_cells.has_exemplars and not mention_cells.is_suppressed then exemplars.comment_ids
        end as exemplar_comment_ids
    from mention_cells
    left join exemplars
        on
            mention_cells.stratum_attribute = 'all'
            and mention_cells.partnership_side = exemplars.partnership_side
            and mention_cells.period_kind = exemplars.period_kind
            and mention_cells.period_first_on = exemplars.period_first_on
            and mention_cells.organisation_slug = exemplars.organisation_slug
            and mention_cells.service_slug = exemplars.service_slug
),

measured as (
    select
        sided.partnership_side,
        case when measures.measure_slug like '%\_comment\_sentiment' then 'comments' else 'questionnaire' end
            as evidence_kind,
        measures.measure_slug,
        measures.measure_version,
        measures.period_kind,
        measures.period_first_on,
        measures.period_last_on,
        measures.organisation_slug,
        measures.service_slug,
        measures.stratum_attribute,
        measures.stratum,
        measures.numerator_count,
        measures.denominator_count,
        measures.response_count,
        measures.measure_value,
        measures.unit,
        measures.interval_low,
        measures.interval_high,
        measures.cell_state,
        null::text as exemplar_comment_ids
    from {{ ref('rpt_measures') }} as measures
    inner join {{ ref('partnership_measures') }} as sided on measures.measure_slug = sided.measure_slug
    where {{ is_in_period_to_build('int_periods_reported') }}
)

select * from said
union all
select * from measured
