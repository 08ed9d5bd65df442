{{ config(materialized='ephemeral') }}

-- Scores of a response by the rule of each: code, value, mean (weighted), sum, sum_converted (through a
-- table), linear (0 to 100). Missing items are replaced by the person's mean where the score allows some.
with answers as (
    select * from {{ ref('stg_feedback__answers') }}
),

kept_responses as (
    select * from {{ ref('int_responses_kept') }}
),

score_items as (
    select * from {{ ref('score_items') }}
),

items as (
    select
        score_slug,
        instrument_version,
        count(*) as item_count
    from score_items
    group by score_slug, instrument_version
),

recoded_items as (
    select distinct
        instrument_slug,
        instrument_version,
        item_slug
    from {{ ref('item_recodes') }}
),

-- Each answer under each score that it counts to; null outside of its item's scale.
recoded as (
    select
        answers.response_id,
        answers.delivery_id,
        scores.score_slug,
        scores.instrument_slug,
        scores.instrument_version,
        score_items.item_weight,
        answers.value_code,
        answers.value_number is not null
        and (
            not answers.value_number between score_items.scale_low and score_items.scale_high
            or (recoded_items.item_slug is not null and recodes.recoded_value is null)
        ) as is_outside_scale,
        case
            when recodes.recoded_value is not null then recodes.recoded_value
            when not answers.value_number between score_items.scale_low and score_items.scale_high then null
            when score_items.is_reversed
                then score_items.scale_high + score_items.scale_low - answers.value_number::numeric
            else answers.value_number::numeric
        end as recoded_value,
        case when scores.scoring_rule = 'linear' then score_items.scale_low else 0 end as zero_point,
        case
            when scores.scoring_rule = 'linear' then score_items.scale_high - score_items.scale_low else 1
        end as scale_width,
        case when scores.scoring_rule = 'linear' then 100 else 1 end as unit_count
    from answers
    inner join {{ ref('scores') }} as scores
        on
            answers.instrument_slug = scores.instrument_slug
            and answers.instrument_version = scores.instrument_version
    inner join score_items
        on
            scores.score_slug = score_items.score_slug
            and scores.instrument_version = score_items.instrument_version
            and answers.item_slug = score_items.item_slug
    left join {{ ref('item_recodes') }} as recodes
        on
            answers.instrument_slug = recodes.instrument_slug
            and answers.instrument_version = recodes.instrument_version
            and answers.item_slug = recodes.item_slug
            and answers.value_number between recodes.value_low and recodes.value_high
    left join recoded_items
        on
            answers.instrument_slug = recoded_items.instrument_slug
            and answers.instrument_version = recoded_items.instrument_version
            and answers.item_slug = recoded_items.item_slug
    where
        answers.answer_state = 'answered'
        and not answers.is_value_set_aside
        and {{ is_to_build('answers.response_id') }}
),

valued_items as (
    select
        *,
        (recoded_value - zero_point) * unit_count / scale_width as item_value
    from recoded
),

summed as (
    select
        response_id,
        score_slug,
        instrument_slug,
        instrument_version,
        min(delivery_id) as delivery_id,
        count(item_value) as valued_item_count,
        count(*) as answered_item_count,
        sum(item_value) as item_sum,
        avg(item_value) as item_mean,
        sum(item_value * item_weight) / nullif(sum(item_weight) filter (where item_value is not null), 0)
            as weighted_mean,
        min(value_code) as item_code,
        bool_or(is_outside_scale) as has_item_outside_scale
    from valued_items
    group by response_id, score_slug, instrument_slug, instrument_version
),

judged as (
    select
        summed.*,
        kept_responses.respondent_id,
        kept_responses.source_slug,
        kept_responses.organisation_slug,
        kept_responses.service_slug,
        kept_responses.submitted_on,
        items.item_count,
        scores.scoring_rule,
        scores.factor,
        conversions.converted_score,
        code_classes.score_class as code_class,
        code_classes.class_direction as code_direction,
        case
            when
                kept_responses.submitted_on < versions.effective_from
                or kept_responses.submitted_on > versions.answers_until
                then 'outside_version'
            when scores.scoring_rule = 'code' and code_classes.value_code is not null then 'scored'
            when
                summed.has_item_outside_scale
                or (scores.scoring_rule = 'code' and summed.item_code is not null)
                then 'outside_scale'
            when
                scores.scoring_rule = 'code'
                or summed.valued_item_count < items.item_count - scores.max_missing_count
                then 'too_few_answers'
            when scores.scoring_rule = 'sum_converted' and conversions.converted_score is null
                then 'outside_scale'
            else 'scored'
        end as score_state
    from summed
    inner join kept_responses on summed.response_id = kept_responses.response_id
    inner join {{ ref('scores') }} as scores
        on
            summed.score_slug = scores.score_slug
            and summed.instrument_version = scores.instrument_version
    inner join items
        on
            summed.score_slug = items.score_slug
            and summed.instrument_version = items.instrument_version
    inner join {{ ref('instrument_versions') }} as versions
        on
            summed.instrument_slug = versions.instrument_slug
            and summed.instrument_version = versions.instrument_version
    left join {{ ref('score_conversions') }} as conversions
        on
            summed.score_slug = conversions.score_slug
            and summed.instrument_version = conversions.instrument_version
            and summed.item_sum = conversions.raw_score
    left join {{ ref('code_classes') }} as code_classes
        on
            scores.scoring_rule = 'code'
            and summed.score_slug = code_classes.score_slug
            and summed.item_code = code_classes.value_code
),

valued as (
    select
        judged.*,
        case
            when judged.score_state <> 'scored' then null
            when judged.scoring_rule = 'sum_converted' then judged.converted_score
            when judged.scoring_rule = 'sum'
                then round(
                    (judged.item_sum + (judged.item_count - judged.valued_item_count) * judged.item_mean)
                    * judged.factor,
                    6
                )
            {% if var('missing_item_weights') == 'equal' -%}
            when judged.valued_item_count < judged.item_count then round(judged.item_mean, 6)
            {% endif -%}
            else round(judged.weighted_mean, 6)
        end as score_value
    from judged
)

select
    valued.response_id,
    valued.respondent_id,
    valued.source_slug,
    valued.organisation_slug,
    valued.service_slug,
    valued.submitted_on,
    valued.instrument_slug,
    valued.instrument_version,
    valued.score_slug,
    valued.score_state,
    trim_scale(valued.score_value) as score_value,
    case when valued.score_state = 'scored' then coalesce(valued.code_class, classes.score_class) end
        as score_class,
    case when valued.score_state = 'scored' then coalesce(valued.code_direction, classes.class_direction) end
        as class_direction,
    valued.answered_item_count,
    valued.item_count,
    valued.delivery_id
from valued
left join {{ ref('score_classes') }} as classes
    on
        valued.score_slug = classes.score_slug
        and valued.score_value >= classes.score_from
        and valued.score_value < classes.score_below
