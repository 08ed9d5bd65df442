-- The versions whose readings the marts show: those that the run names, else the newest in analysis.
with newest_embedding as (
    select encoder_version
    from {{ ref('stg_analysis__embeddings') }}
    order by embedded_at desc, encoder_version desc
    limit 1
),

newest_sentiment as (
    select sentiment_model_version
    from {{ ref('stg_analysis__sentiments') }}
    order by scored_at desc, sentiment_model_version desc
    limit 1
),

newest_topic_reading as (
    select topic_model_version
    from {{ ref('stg_analysis__topic_readings') }}
    order by scored_at desc, topic_model_version desc
    limit 1
),

newest_serious_reading as (
    select detector_version
    from {{ ref('stg_analysis__serious_readings') }}
    order by read_at desc, detector_version desc
    limit 1
),

current_theme_set as (
    select theme_set_id
    from {{ ref('stg_analysis__theme_sets') }}
    where is_current
),

selected as (
    select
        coalesce(
            {{ text_literal(var('encoder_version')) }},
            (select newest_embedding.encoder_version from newest_embedding)
        ) as encoder_version,
        coalesce(
            {{ text_literal(var('sentiment_model_version')) }},
            (select newest_sentiment.sentiment_model_version from newest_sentiment)
        ) as sentiment_model_version,
        coalesce(
            {{ text_literal(var('topic_model_version')) }},
            (select newest_topic_reading.topic_model_version from newest_topic_reading)
        ) as topic_model_version,
        coalesce(
            {{ text_literal(var('serious_detector_version')) }},
            (select newest_serious_reading.detector_version from newest_serious_reading)
        ) as serious_detector_version,
        (select current_theme_set.theme_set_id from current_theme_set) as theme_set_id
)

select
    encoder_version,
    sentiment_model_version,
    topic_model_version,
    serious_detector_version,
    theme_set_id
from selected
