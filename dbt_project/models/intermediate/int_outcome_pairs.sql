{%- set score_key = ['score_slug', 'instrument_version', 'respondent_id'] %}
-- Who was asked before and after: the first assessment of an episode, and the last within the window. An
-- episode ends outcome_max_days after it began; the next assessment begins another.
with recursive scored as (
    select
        scores.response_id,
        scores.respondent_id,
        scores.submitted_on,
        scores.instrument_slug,
        scores.instrument_version,
        scores.score_slug,
        scores.score_value,
        rules.better_direction,
        thresholds.difference as case_threshold
    from {{ ref('fct_scores') }} as scores
    inner join {{ ref('scores') }} as rules
        on
            scores.score_slug = rules.score_slug
            and scores.instrument_version = rules.instrument_version
    left join {{ ref('score_differences') }} as thresholds
        on
            scores.score_slug = thresholds.score_slug
            and scores.instrument_version = thresholds.instrument_version
            and thresholds.difference_kind = 'case_threshold'
    where
        scores.score_state = 'scored'
        and scores.score_value is not null
        and scores.respondent_id is not null
        and scores.submitted_on is not null
        and rules.better_direction in ('higher', 'lower')
        -- The code of an answer is no quantity that gets better.
        and rules.scoring_rule <> 'code'
),

assessments as (
    select
        score_slug,
        instrument_slug,
        instrument_version,
        respondent_id,
        submitted_on,
        response_id,
        better_direction,
        score_value,
        score_value >= case_threshold as is_case,
        array[score_slug] as part_slugs,
        array[score_value] as part_values
    from scored

    union all

    select
        'eq_5d_pchc' as score_slug,
        instrument_slug,
        instrument_version,
        respondent_id,
        submitted_on,
        response_id,
        'lower' as better_direction,
        null as score_value,
        null as is_case,
        array_agg(score_slug order by score_slug) as part_slugs,
        array_agg(score_value order by score_slug) as part_values
    from scored
    where instrument_slug = 'eq_5d_5l'
    group by instrument_slug, instrument_version, respondent_id, submitted_on, response_id
    having count(*) = 5

    union all

    -- The two questionnaires may be two responses of one day. Above either threshold is a case.
    select
        'talking_therapy_recovery' as score_slug,
        null as instrument_slug,
        instrument_version,
        respondent_id,
        submitted_on,
        max(response_id) as response_id,
        'lower' as better_direction,
        null as score_value,
        bool_or(score_value >= case_threshold) as is_case,
        array_agg(distinct score_slug order by score_slug) as part_slugs,
        null as part_values
    from scored
    where score_slug in ('phq_9', 'gad_7')
    group by instrument_version, respondent_id, submitted_on
),

series as (
    select
        {{ score_key | join(', ') }},
        array_agg(distinct submitted_on order by submitted_on) as assessed_days
    from assessments
    group by {{ score_key | join(', ') }}
    having max(submitted_on) - min(submitted_on) >= {{ var('outcome_min_days') }}
),

episodes as (
    select
        {{ score_key | join(', ') }},
        assessed_days,
        assessed_days[1] as began_on
    from series

    union all

    select
        {{ score_key | join(', ') }},
        assessed_days,
        (
            select min(given.assessed_on)
            from unnest(assessed_days) as given (assessed_on)
            where given.assessed_on > began_on + {{ var('outcome_max_days') }}
        ) as began_on
    from episodes
    where assessed_days[cardinality(assessed_days)] > began_on + {{ var('outcome_max_days') }}
),

begun as (
    select
        assessments.*,
        row_number() over (
            partition by
                assessments.score_slug,
                assessments.instrument_version,
                assessments.respondent_id,
                assessments.submitted_on
            order by assessments.response_id
        ) as day_place
    from episodes
    inner join assessments
        on
            episodes.score_slug = assessments.score_slug
            and episodes.instrument_version = assessments.instrument_version
            and episodes.respondent_id = assessments.respondent_id
            and episodes.began_on = assessments.submitted_on
),

baselines as (
    select * from begun
    where day_place = 1
),

-- What was given at the start must be given at the end too: half of a recovery is not known.
paired as (
    select
        baselines.score_slug,
        baselines.instrument_slug,
        baselines.instrument_version,
        baselines.respondent_id,
        baselines.better_direction,
        baselines.response_id as baseline_response_id,
        followups.response_id as followup_response_id,
        baselines.submitted_on as baseline_on,
        followups.submitted_on as followup_on,
        baselines.score_value as baseline_value,
        followups.score_value as followup_value,
        baselines.is_case as is_case_at_baseline,
        followups.is_case as is_case_at_followup,
        baselines.part_slugs as baseline_part_slugs,
        baselines.part_values as baseline_part_values,
        followups.part_values as followup_part_values,
        row_number() over (
            partition by baselines.score_slug, baselines.instrument_version, baselines.response_id
            order by followups.submitted_on desc, followups.response_id desc
        ) as place_from_last
    from baselines
    inner join assessments as followups
        on
            baselines.score_slug = followups.score_slug
            and baselines.instrument_version = followups.instrument_version
            and baselines.respondent_id = followups.respondent_id
            and followups.submitted_on
            between baselines.submitted_on + {{ var('outcome_min_days') }}
            and baselines.submitted_on + {{ var('outcome_max_days') }}
            and baselines.part_slugs <@ followups.part_slugs
),

-- Levels of the EQ-5D-5L: the lower one is the better.
compared as (
    select
        paired.*,
        parts.baseline_value as baseline_part_value,
        parts.followup_value as followup_part_value
    from paired
    left join
        unnest(paired.baseline_part_values, paired.followup_part_values) as parts (
            baseline_value, followup_value
        )
        on true
    where paired.place_from_last = 1
)

select
    score_slug,
    instrument_slug,
    instrument_version,
    respondent_id,
    better_direction,
    baseline_response_id,
    followup_response_id,
    baseline_on,
    followup_on,
    baseline_value,
    followup_value,
    is_case_at_baseline,
    is_case_at_followup,
    cardinality(baseline_part_slugs) as baseline_part_count,
    count(*) filter (where followup_part_value < baseline_part_value) as better_count,
    count(*) filter (where followup_part_value > baseline_part_value) as worse_count
from compared
group by
    score_slug, instrument_slug, instrument_version, respondent_id, better_direction, baseline_response_id,
    followup_response_id, baseline_on, followup_on, baseline_value, followup_value, is_case_at_baseline,
    is_case_at_followup, baseline_part_slugs
