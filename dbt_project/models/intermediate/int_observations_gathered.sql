{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id', read_by='int_observations_left') }}",
    indexes=[{'columns': ['response_id']}],
    post_hook="{{ 'analyze ' ~ this if not is_going_on() }}",
) }}

-- What measures count: scores, changes and read comments of each response, and whom they are counted under.
with kept_responses as (
    select * from {{ ref('int_responses_kept') }}
),

-- A code is no quantity, though some sources send a number: whether a sum of values is null depends on the
-- score alone, never on who is in the cell.
scored as (
    select
        answered.response_id,
        answered.score_slug,
        answered.instrument_version as score_version,
        case when rules.scoring_rule <> 'code' then answered.score_value end as observed_value,
        (answered.class_direction is not distinct from 'favourable')::integer::numeric as favourable_part,
        (answered.class_direction is not distinct from 'unfavourable')::integer::numeric
            as unfavourable_part
    from {{ ref('fct_scores') }} as answered
    inner join {{ ref('scores') }} as rules
        on
            answered.score_slug = rules.score_slug
            and answered.instrument_version = rules.instrument_version
    where answered.score_state = 'scored' and {{ is_to_build('answered.response_id') }}
),

-- A composite of a person is the mean of the items that the person answered.
composed as (
    select
        scored.response_id,
        composites.composite_slug as score_slug,
        scored.score_version,
        avg(scored.observed_value) as observed_value,
        avg(scored.favourable_part) as favourable_part,
        avg(scored.unfavourable_part) as unfavourable_part
    from scored
    inner join {{ ref('composites') }} as composites
        on
            scored.score_slug = composites.member_score_slug
            and scored.score_version = composites.instrument_version
    group by scored.response_id, composites.composite_slug, scored.score_version
),

read_comments as (
    select
        response_id,
        'comment_sentiment' as score_slug,
        '1' as score_version,
        sentiment_score::numeric as observed_value,
        (sentiment_label in ('positive', 'very_positive'))::integer::numeric as favourable_part,
        (sentiment_label in ('negative', 'very_negative'))::integer::numeric as unfavourable_part
    from {{ ref('int_comments_scored') }}
    where analysis_state = 'analysed' and {{ is_to_build('response_id') }}
),

-- The same sentiment under each side of partnership that the comment speaks of.
read_sides as (
    select
        response_id,
        'side_' || partnership_side as score_slug,
        '1' as score_version,
        sentiment_score::numeric as observed_value,
        (sentiment_label in ('positive', 'very_positive'))::integer::numeric as favourable_part,
        (sentiment_label in ('negative', 'very_negative'))::integer::numeric as unfavourable_part
    from {{ ref('int_sides_mentioned') }}
    where {{ is_to_build('response_id') }}
),

-- A change counts in the period of its follow-up; a later follow-up in the window takes it to a later period.
changed as (
    select
        changes.followup_response_id as response_id,
        rules.score_slug,
        rules.instrument_version as score_version,
        coalesce(changes.change_value, 0) as observed_value,
        (changes.class_direction = 'favourable')::integer::numeric as favourable_part,
        (changes.class_direction = 'unfavourable')::integer::numeric as unfavourable_part
    from {{ ref('fct_outcome_changes') }} as changes
    inner join {{ ref('scores') }} as rules
        on
            rules.scoring_rule = 'change'
            and rules.score_slug in (changes.score_slug, changes.score_slug || '_change')
            and changes.instrument_version = rules.instrument_version
    where changes.class_direction is not null and {{ is_to_build('changes.followup_response_id') }}
),

observed as (
    select * from scored
    union all
    select * from composed
    union all
    select * from read_comments
    union all
    select * from read_sides
    union all
    select * from changed
),

summed as (
    select
        response_id,
        score_slug,
        score_version,
        count(*) as observation_count,
        sum(observed_value) as value_sum,
        sum(observed_value ^ 2) as value_square_sum,
        sum(favourable_part) as favourable_sum,
        sum(favourable_part ^ 2) as favourable_square_sum,
        sum(unfavourable_part) as unfavourable_sum,
        sum(unfavourable_part ^ 2) as unfavourable_square_sum,
        sum(favourable_part * unfavourable_part) as product_sum
    from observed
    group by response_id, score_slug, score_version
)

select
    summed.*,
    rules.period_kind,
    case rules.period_kind
        when 'month' then kept_responses.month_start_on
        else {{ reporting_year_of('kept_responses.submitted_on') }}
    end as period_first_on,
    coalesce(kept_responses.organisation_slug, 'not_stated') as organisation_slug,
    coalesce(kept_responses.service_slug, 'not_stated') as service_slug,
    coalesce(kept_responses.age_band, 'not_stated') as age_band,
    coalesce(kept_responses.sex, 'not_stated') as sex,
    coalesce(kept_responses.ethnic_group, 'not_stated') as ethnic_group,
    coalesce(kept_responses.deprivation_quintile::text, 'not_stated') as deprivation_quintile,
    coalesce(kept_responses.preferred_language, 'not_stated') as preferred_language,
    coalesce(
        case kept_responses.has_disability when true then 'disabled' when false then 'not_disabled' end,
        'not_stated'
    ) as disability
from summed
inner join kept_responses on summed.response_id = kept_responses.response_id
inner join {{ ref('int_scores_ruled') }} as rules
    on summed.score_slug = rules.score_slug and summed.score_version = rules.score_version
