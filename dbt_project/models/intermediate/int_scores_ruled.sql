-- What may be published of each score and composite: a composite follows the strictest of its items.
with classed as (
    select score_slug from {{ ref('score_classes') }}
    union distinct
    select score_slug from {{ ref('code_classes') }}
),

scores as (
    select
        scores.score_slug,
        scores.instrument_version as score_version,
        {{ min_responses('scores.suppression_setting', 'scores.min_report_count') }} as min_responses,
        scores.published_period as period_kind,
        scores.scoring_rule in ('change', 'reading') or classed.score_slug is not null as has_classes,
        scores.scoring_rule = 'reading' and starts_with(scores.score_slug, 'side_') as is_side
    from {{ ref('scores') }} as scores
    left join classed on scores.score_slug = classed.score_slug
),

composed as (
    select
        composites.composite_slug as score_slug,
        composites.instrument_version as score_version,
        max(scores.min_responses) as min_responses,
        min(scores.period_kind) as period_kind,
        bool_or(scores.has_classes) as has_classes,
        false as is_side
    from {{ ref('composites') }} as composites
    inner join scores
        on
            composites.member_score_slug = scores.score_slug
            and composites.instrument_version = scores.score_version
    group by composites.composite_slug, composites.instrument_version
)

select * from scores
union all
select * from composed
