{{ config(
    materialized='incremental',
    pre_hook="{{ forget('comment_id') }}",
    indexes=[{'columns': ['comment_id']}, {'columns': ['theme_slug']}],
) }}

select
    comment_id,
    theme_slug,
    subtheme_slug,
    is_primary,
    theme_confidence,
    theme_set_id,
    sentiment_score,
    sentiment_basis,
    sentiment_model_version
from {{ ref('int_theme_mentions_scored') }}
where {{ is_to_build('comment_id', 'comment_id') }}
