-- Every counted answer to the Friends and Family Test: positive (1, 2), negative (4, 5) or neither (3, 6).
-- An undocumented code was set aside and is missing; the question of before April 2020 is another series.
with answers as (
    select * from {{ ref('stg_feedback__answers') }}
),

kept_responses as (
    select * from {{ ref('int_responses_kept') }}
),

classified as (
    select
        answers.response_id,
        answers.value_code,
        kept_responses.submitted_on,
        kept_responses.month_start_on,
        coalesce(kept_responses.organisation_slug, 'not_stated') as organisation_slug,
        coalesce(kept_responses.service_slug, 'not_stated') as service_slug,
        answers.value_code in ('1', '2') as is_positive,
        answers.value_code in ('4', '5') as is_negative
    from answers
    inner join kept_responses on answers.response_id = kept_responses.response_id
    where
        answers.instrument_slug = 'fft'
        and answers.item_slug = 'overall_experience'
        and answers.answer_state = 'answered'
        and not answers.is_value_set_aside
        and answers.value_code in ('1', '2', '3', '4', '5', '6')
        and (
            kept_responses.submitted_on is null
            or kept_responses.submitted_on >= '{{ var("fft_effective_from") }}'::date
        )
)

select * from classified
