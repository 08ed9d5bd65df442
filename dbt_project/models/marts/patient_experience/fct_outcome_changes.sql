{{ config(indexes=[
    {'columns': ['followup_response_id']},
    {'columns': ['score_slug', 'followup_on']},
]) }}

with pairs as (
    select
        outcome_pairs.*,
        important.difference as important_difference,
        reliable.difference as reliable_difference,
        outcome_pairs.followup_value - outcome_pairs.baseline_value as change_value,
        (outcome_pairs.followup_value - outcome_pairs.baseline_value)
        * case outcome_pairs.better_direction when 'higher' then 1 else -1 end as gain
    from {{ ref('int_outcome_pairs') }} as outcome_pairs
    left join {{ ref('score_differences') }} as important
        on
            outcome_pairs.score_slug = important.score_slug
            and outcome_pairs.instrument_version = important.instrument_version
            and important.difference_kind = 'important'
    left join {{ ref('score_differences') }} as reliable
        on
            outcome_pairs.score_slug = reliable.score_slug
            and outcome_pairs.instrument_version = reliable.instrument_version
            and reliable.difference_kind = 'reliable'
),

classed as (
    select
        *,
        case
            when score_slug = 'eq_5d_pchc' then 'paretian'
            when score_slug = 'talking_therapy_recovery' and baseline_part_count > 1 then 'case_thresholds'
            when score_slug = 'talking_therapy_recovery' then 'case_threshold_of_one_instrument'
            when important_difference is not null then 'important_difference'
            else 'any_difference'
        end as change_rule,
        case
            when score_slug = 'eq_5d_pchc' and better_count > 0 and worse_count > 0 then 'mixed'
            when score_slug = 'eq_5d_pchc' and better_count > 0 then 'better'
            when score_slug = 'eq_5d_pchc' and worse_count > 0 then 'worse'
            when score_slug = 'eq_5d_pchc' then 'same'
            when score_slug = 'talking_therapy_recovery' and not is_case_at_baseline then 'not_a_case'
            when score_slug = 'talking_therapy_recovery' and is_case_at_followup then 'not_recovered'
            when score_slug = 'talking_therapy_recovery' then 'recovered'
            when gain > 0 and gain >= coalesce(important_difference, 0) then 'improved'
            when gain < 0 and -gain >= coalesce(important_difference, 0) then 'worse'
            else 'unchanged'
        end as change_class
    from pairs
)

select
    classed.respondent_id,
    classed.score_slug,
    classed.instrument_slug,
    classed.instrument_version,
    followups.source_slug,
    followups.organisation_slug,
    followups.service_slug,
    classed.baseline_response_id,
    classed.followup_response_id,
    classed.baseline_on,
    classed.followup_on,
    classed.followup_on - classed.baseline_on as days_between,
    classed.baseline_value::numeric(14, 6) as baseline_value,
    classed.followup_value::numeric(14, 6) as followup_value,
    classed.change_value::numeric(14, 6) as change_value,
    classed.better_direction,
    classed.change_class,
    classed.change_rule,
    classed.important_difference::numeric(14, 6) as important_difference,
    classed.reliable_difference::numeric(14, 6) as reliable_difference,
    abs(classed.change_value) >= classed.reliable_difference as is_reliable_change,
    classed.is_case_at_baseline,
    case
        when classed.score_slug = 'talking_therapy_recovery' then classed.change_class = 'recovered'
    end as is_recovered,
    -- A change within the error of measurement is neither.
    case
        when classed.change_class = 'not_a_case' then null
        when abs(classed.change_value) < classed.reliable_difference then 'neutral'
        when classed.change_class in ('improved', 'better', 'recovered') then 'favourable'
        when classed.change_class in ('worse', 'not_recovered') then 'unfavourable'
        else 'neutral'
    end as class_direction
from classed
inner join {{ ref('int_responses_kept') }} as followups
    on classed.followup_response_id = followups.response_id
