{{ config(
    materialized='incremental',
    pre_hook="{{ forget('comment_id') }}",
    indexes=[{'columns': ['comment_id']}],
    post_hook='analyze {{ this }}',
) }}

-- Each theme that a comment speaks of, with the sentiment of the parts that speak of it.
with comments as (
    select * from {{ ref('int_comments_scored') }}
    where
        analysis_state = 'analysed'
        and theme_set_id is not null
        and {{ is_to_build('comment_id', 'comment_id') }}
),

mentions as (
    select
        mentions.text_sha256,
        mentions.theme_set_id,
        mentions.theme_confidence,
        mentions.segment_indexes,
        themes.surviving_theme_slug as theme_slug,
        case
            when subthemes.theme_slug is null then mentions.subtheme_slug
            when subthemes.surviving_parent_slug = themes.surviving_theme_slug
                then subthemes.surviving_theme_slug
        end as subtheme_slug
    from {{ ref('stg_analysis__theme_mentions') }} as mentions
    inner join {{ ref('int_model_versions_selected') }} as versions
        on mentions.theme_set_id = versions.theme_set_id
    inner join {{ ref('int_themes_resolved') }} as themes on mentions.theme_slug = themes.theme_slug
    left join {{ ref('int_themes_resolved') }} as subthemes on mentions.subtheme_slug = subthemes.theme_slug
    -- What people retired is mentioned nowhere.
    where
        themes.surviving_theme_slug is not null
        {% if is_going_on() -%}
        -- An array: the planner then finds the few texts by their index.
        and mentions.text_sha256 = any(array(select comments.text_sha256 from comments))
        {%- endif %}
),

-- Two themes of a text that people merged are one mention of it.
merged as (
    select
        text_sha256,
        theme_set_id,
        theme_slug,
        max(theme_confidence) as theme_confidence,
        -- Of a whole text the whole text's sentiment counts.
        bool_or(cardinality(segment_indexes) = 0) as is_of_whole_text,
        (array_agg(subtheme_slug order by theme_confidence desc, subtheme_slug asc))[1] as subtheme_slug
    from mentions
    group by text_sha256, theme_set_id, theme_slug
),

segments as (
    select distinct
        mentions.text_sha256,
        mentions.theme_slug,
        parts.segment_index
    from mentions
    cross join lateral unnest(mentions.segment_indexes) as parts (segment_index)
),

segment_scores as (
    select
        segments.text_sha256,
        segments.theme_slug,
        sentiments.question_intent,
        sentiments.sentiment_model_version,
        avg(sentiments.sentiment_score)::real as sentiment_score,
        count(*) as segment_count
    from segments
    inner join {{ ref('stg_analysis__segment_sentiments') }} as sentiments
        on
            segments.text_sha256 = sentiments.text_sha256
            and segments.segment_index = sentiments.segment_index
    inner join {{ ref('int_model_versions_selected') }} as versions
        on sentiments.sentiment_model_version = versions.sentiment_model_version
    group by
        segments.text_sha256,
        segments.theme_slug,
        sentiments.question_intent,
        sentiments.sentiment_model_version
),

scored as (
    select
        comments.comment_id,
        merged.theme_slug,
        merged.subtheme_slug,
        merged.theme_confidence,
        merged.theme_set_id,
        coalesce(comments.theme_slug = merged.theme_slug, false) as is_primary,
        case
            when merged.is_of_whole_text or segment_scores.sentiment_score is null
                then comments.sentiment_score
            else segment_scores.sentiment_score
        end as sentiment_score,
        case
            when merged.is_of_whole_text or segment_scores.sentiment_score is null then 'comment'
            else 'segments'
        end as sentiment_basis,
        comments.sentiment_model_version
    from comments
    inner join merged
        on comments.text_sha256 = merged.text_sha256 and comments.theme_set_id = merged.theme_set_id
    left join segment_scores
        on
            comments.text_sha256 = segment_scores.text_sha256
            and comments.question_intent = segment_scores.question_intent
            and comments.sentiment_model_version = segment_scores.sentiment_model_version
            and merged.theme_slug = segment_scores.theme_slug
)

select * from scored
