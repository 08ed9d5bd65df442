{{ config(
    materialized='incremental',
    pre_hook="{{ forget('response_id') }}",
    indexes=[
        {'columns': ['comment_id']},
        {'columns': ['response_id']},
        {'columns': ['text_sha256', 'question_intent']},
    ],
    post_hook='analyze {{ this }}',
) }}

-- Every comment of a response that was not withdrawn, with what the selected models read in it.
with comments as (
    select * from {{ ref('stg_feedback__comments') }}
),

kept_responses as (
    select * from {{ ref('int_responses_kept') }}
),

text_languages as (
    select * from {{ ref('stg_analysis__text_languages') }}
),

versions as (
    select * from {{ ref('int_model_versions_selected') }}
),

current_embeddings as (
    select
        embeddings.text_sha256,
        embeddings.encoder_version
    from {{ ref('stg_analysis__embeddings') }} as embeddings
    inner join versions on embeddings.encoder_version = versions.encoder_version
),

current_sentiments as (
    select
        sentiments.text_sha256,
        sentiments.question_intent,
        sentiments.sentiment_model_version,
        sentiments.sentiment_label,
        sentiments.sentiment_score,
        sentiments.sentiment_confidence,
        sentiments.comment_reading
    from {{ ref('stg_analysis__sentiments') }} as sentiments
    inner join versions
        on
            sentiments.sentiment_model_version = versions.sentiment_model_version
            and sentiments.encoder_version = versions.encoder_version
),

current_assignments as (
    select
        assignments.text_sha256,
        assignments.theme_set_id,
        assignments.theme_confidence,
        resolved.surviving_theme_slug as theme_slug,
        subthemes.surviving_theme_slug as subtheme_slug
    from {{ ref('stg_analysis__theme_assignments') }} as assignments
    inner join versions on assignments.theme_set_id = versions.theme_set_id
    left join {{ ref('int_themes_resolved') }} as resolved
        on assignments.theme_slug = resolved.theme_slug
    -- A refit may move a subtheme away from the theme of the one it was merged into: it is shown in neither.
    left join {{ ref('int_themes_resolved') }} as subthemes
        on
            assignments.subtheme_slug = subthemes.theme_slug
            and resolved.surviving_theme_slug = subthemes.surviving_parent_slug
),

fft_ratings as (
    select
        response_id,
        score_class as rating_class
    from {{ ref('fct_scores') }}
    where score_slug = 'fft' and score_state = 'scored'
),

joined as (
    select
        comments.comment_id,
        comments.response_id,
        comments.source_slug,
        comments.source_record_ref,
        comments.text_sha256,
        comments.question_slug,
        comments.question_intent,
        comments.comment_state,
        comments.comment_text,
        comments.redaction_count,
        comments.delivery_id,
        comments.record_number,
        kept_responses.organisation_slug,
        kept_responses.service_slug,
        kept_responses.submitted_on,
        kept_responses.submitted_on_basis,
        kept_responses.month_start_on,
        text_languages.language_basis,
        -- Before a text is read its language is what the source declares.
        case
            when comments.comment_state = 'blank' then null
            when text_languages.text_sha256 is null then comments.declared_language_code
            else text_languages.language_code
        end as language_code,
        case
            when comments.comment_state = 'blank' then 'blank'
            when current_sentiments.text_sha256 is not null then 'analysed'
            when text_languages.text_sha256 is null then 'pending'
            when
                text_languages.language_basis = 'undetermined' or text_languages.language_code is null
                then 'undetermined_language'
            when
                text_languages.language_code <> all({{ text_array_literal(var('supported_languages')) }})
                then 'unsupported_language'
            else 'pending'
        end as analysis_state,
        current_embeddings.encoder_version,
        current_sentiments.sentiment_model_version,
        current_sentiments.sentiment_label,
        current_sentiments.sentiment_score,
        current_sentiments.sentiment_confidence,
        current_sentiments.comment_reading,
        fft_ratings.rating_class,
        current_assignments.theme_set_id,
        current_assignments.theme_slug,
        current_assignments.subtheme_slug,
        current_assignments.theme_confidence
    from comments
    inner join kept_responses on comments.response_id = kept_responses.response_id
    left join text_languages on comments.text_sha256 = text_languages.text_sha256
    left join current_embeddings on comments.text_sha256 = current_embeddings.text_sha256
    left join current_sentiments
        on
            comments.text_sha256 = current_sentiments.text_sha256
            and comments.question_intent = current_sentiments.question_intent
    left join fft_ratings on comments.response_id = fft_ratings.response_id
    left join current_assignments on comments.text_sha256 = current_assignments.text_sha256
    where {{ is_to_build('comments.response_id') }}
),

scored as (
    -- A reading counts only where the comment is analysed: a blank text shares its hash with others.
    select
        comment_id,
        response_id,
        source_slug,
        source_record_ref,
        text_sha256,
        question_slug,
        question_intent,
        comment_state,
        comment_text,
        redaction_count,
        delivery_id,
        record_number,
        organisation_slug,
        service_slug,
        submitted_on,
        submitted_on_basis,
        month_start_on,
        language_code,
        language_basis,
        analysis_state,
        case when analysis_state = 'analysed' then encoder_version end as encoder_version,
        case when analysis_state = 'analysed' then sentiment_model_version end as sentiment_model_version,
        case when analysis_state = 'analysed' then sentiment_label end as sentiment_label,
        case when analysis_state = 'analysed' then sentiment_score end as sentiment_score,
        case when analysis_state = 'analysed' then sentiment_confidence end as sentiment_confidence,
        case when analysis_state = 'analysed' then comment_reading end as comment_reading,
        rating_class,
        -- Of an open question alone: a person may rate well and say what to improve.
        case
            when analysis_state = 'analysed'
                then coalesce(
                    question_intent = 'open'
                    and comment_reading = 'content'
                    and (
                        (rating_class = 'very_good' and sentiment_label = 'very_negative')
                        or (rating_class = 'very_poor' and sentiment_label in ('positive', 'very_positive'))
                    ),
                    false
                )
        end as is_at_odds_with_rating,
        case when analysis_state = 'analysed' then theme_set_id end as theme_set_id,
        case when analysis_state = 'analysed' then theme_slug end as theme_slug,
        case when analysis_state = 'analysed' then subtheme_slug end as subtheme_slug,
        case when analysis_state = 'analysed' then theme_confidence end as theme_confidence,
        case
            when analysis_state <> 'analysed' or theme_set_id is null then 'not_read'
            when theme_slug is null then 'unassigned'
            else 'assigned'
        end as theme_state
    from joined
)

select * from scored
