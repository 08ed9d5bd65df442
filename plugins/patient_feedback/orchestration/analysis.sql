-- Statements of the analysis, by name. `after` and `until` bound the hashes of the texts that a worker reads.

-- name: forget_unsaid_texts
-- A text that no comment holds any more was withdrawn or edited: nothing that was read in it is kept.
delete from {held_table} as held
where not exists (
    select from feedback.comment
    where comment.text_sha256 = held.text_sha256 and comment.comment_state = 'text'
)

-- name: forget_unsaid_exemplars
-- A hash that stands as an exemplar would still tell that somebody gave this text.
update analysis.theme_set_member as member
set exemplar_text_sha256s = array(
    select exemplar.text_sha256
    from unnest(member.exemplar_text_sha256s) with ordinality as exemplar (text_sha256, place)
    where exists (
        select from feedback.comment
        where comment.text_sha256 = exemplar.text_sha256 and comment.comment_state = 'text'
    )
    order by exemplar.place
)
where exists (
    select from unnest(member.exemplar_text_sha256s) as exemplar (text_sha256)
    where not exists (
        select from feedback.comment
        where comment.text_sha256 = exemplar.text_sha256 and comment.comment_state = 'text'
    )
)

-- name: forget_unsaid_region_exemplars
update analysis.theme_drift as drift
set new_dense_regions = (
    select jsonb_agg(
        region.found || jsonb_build_object('exemplar_text_sha256s', (
            select coalesce(jsonb_agg(exemplar.text_sha256 order by exemplar.place), '[]')
            from
                jsonb_array_elements_text(region.found -> 'exemplar_text_sha256s')
                with ordinality as exemplar (text_sha256, place)
            where exists (
                select from feedback.comment
                where comment.text_sha256 = exemplar.text_sha256 and comment.comment_state = 'text'
            )
        ))
        order by region.place
    )
    from jsonb_array_elements(drift.new_dense_regions) with ordinality as region (found, place)
)
where exists (
    select
    from
        jsonb_array_elements(drift.new_dense_regions) as region (found),
        jsonb_array_elements_text(region.found -> 'exemplar_text_sha256s') as exemplar (text_sha256)
    where not exists (
        select from feedback.comment
        where comment.text_sha256 = exemplar.text_sha256 and comment.comment_state = 'text'
    )
)

-- name: texts_without_language
select comment.text_sha256, min(comment.comment_text), min(comment.declared_language_code)
from feedback.comment
left join analysis.text_language using (text_sha256)
where
    comment.comment_state = 'text'
    and comment.text_sha256 >= %(after)s
    and text_language.detector_version is distinct from %(detector)s
group by comment.text_sha256
order by comment.text_sha256
limit %(chunk_size)s

-- name: partition_starts
-- The first digits of the hash that each partition of the texts with anything to read begins with.
with read_topics as (
    select text_sha256, question_intent, count(*) as model_count
    from analysis.topic_reading
    where topic_model_version = any(%(topics)s)
    group by text_sha256, question_intent
),

unread as (
    select distinct comment.text_sha256
    from feedback.comment
    inner join analysis.text_language using (text_sha256)
    left join analysis.embedding
        on comment.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
    left join analysis.sentiment
        on
            comment.text_sha256 = sentiment.text_sha256
            and comment.question_intent = sentiment.question_intent
            and sentiment.sentiment_model_version = %(sentiment)s
    left join read_topics
        on
            comment.text_sha256 = read_topics.text_sha256
            and comment.question_intent = read_topics.question_intent
    where
        comment.comment_state = 'text'
        and text_language.language_code = any(%(languages)s)
        and (
            embedding.segmentation_version is distinct from %(segmentation)s
            or sentiment.reading_rules_version is distinct from %(reading_rules)s
            or coalesce(read_topics.model_count, 0) < cardinality(%(topics)s::text[])
        )
),

placed as (
    select
        text_sha256,
        row_number() over (order by text_sha256) - 1 as place,
        greatest(%(partition_texts)s, ceil(count(*) over () / %(most_partitions)s::numeric)) as partition_texts
    from unread
)

select left(text_sha256, 8)
from placed
where mod(place, partition_texts) = 0
order by text_sha256

-- name: texts_to_embed
select
    comment.text_sha256,
    min(comment.comment_text),
    min(text_language.language_code)
from feedback.comment
inner join analysis.text_language using (text_sha256)
left join analysis.embedding
    on comment.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
where
    comment.comment_state = 'text'
    and comment.text_sha256 >= %(after)s
    and (%(until)s::text is null or comment.text_sha256 < %(until)s)
    and text_language.language_code = any(%(languages)s)
    and embedding.segmentation_version is distinct from %(segmentation)s
group by comment.text_sha256
order by comment.text_sha256
limit %(chunk_size)s

-- name: drop_segments
delete from analysis.text_segment
where encoder_version = %(encoder)s and text_sha256 = any(%(hashes)s)

-- name: texts_to_score
with read_topics as (
    select text_sha256, question_intent, count(*) as model_count
    from analysis.topic_reading
    where
        topic_model_version = any(%(topics)s)
        and text_sha256 >= %(after)s
        and (%(until)s::text is null or text_sha256 < %(until)s)
    group by text_sha256, question_intent
),

unread as (
    select comment.text_sha256, comment.question_intent, min(comment.comment_text) as comment_text
    from feedback.comment
    left join analysis.sentiment
        on
            comment.text_sha256 = sentiment.text_sha256
            and comment.question_intent = sentiment.question_intent
            and sentiment.sentiment_model_version = %(sentiment)s
    left join read_topics
        on
            comment.text_sha256 = read_topics.text_sha256
            and comment.question_intent = read_topics.question_intent
    where
        comment.comment_state = 'text'
        and comment.text_sha256 >= %(after)s
        and (%(until)s::text is null or comment.text_sha256 < %(until)s)
        and (
            sentiment.reading_rules_version is distinct from %(reading_rules)s
            or coalesce(read_topics.model_count, 0) < cardinality(%(topics)s::text[])
        )
    group by comment.text_sha256, comment.question_intent
)

select unread.text_sha256, unread.question_intent, unread.comment_text, embedding.embedding
from unread
inner join analysis.embedding using (text_sha256)
where embedding.encoder_version = %(encoder)s
order by unread.text_sha256, unread.question_intent
limit %(chunk_size)s

-- name: segments_of_texts
select text_sha256, segment_index, start_character, end_character, embedding
from analysis.text_segment
where encoder_version = %(encoder)s and text_sha256 = any(%(hashes)s)
order by text_sha256, segment_index

-- name: drop_segment_sentiments
delete from analysis.segment_sentiment
where
    sentiment_model_version = %(sentiment)s
    and (text_sha256, question_intent) in (select * from unnest(%(hashes)s::text[], %(intents)s::text[]))

-- name: texts_to_read_for_seriousness
-- Undetermined languages too: a cry for help is often too short to tell. Read again once a text has its vector.
with said as (
    select text_sha256, min(comment_text) as comment_text
    from feedback.comment
    where
        comment_state = 'text'
        and text_sha256 >= %(after)s
        and (%(until)s::text is null or text_sha256 < %(until)s)
    group by text_sha256
)

select said.text_sha256, said.comment_text, text_language.language_code, embedding.embedding
from said
inner join analysis.text_language using (text_sha256)
left join analysis.embedding
    on said.text_sha256 = embedding.text_sha256 and embedding.encoder_version = %(encoder)s
left join analysis.serious_reading as reading
    on said.text_sha256 = reading.text_sha256 and reading.detector_version = %(detector)s
where
    (text_language.language_code is null or text_language.language_code = any(%(languages)s))
    and (
        reading.text_sha256 is null
        or (reading.reading_basis = 'phrases' and embedding.text_sha256 is not null)
    )
order by said.text_sha256
limit %(chunk_size)s

-- name: drop_serious_readings
delete from analysis.serious_reading
where detector_version = %(detector)s and text_sha256 = any(%(hashes)s)

-- name: count_not_read_for_seriousness
select count(distinct comment.text_sha256)
from feedback.comment
left join analysis.serious_reading as reading
    on comment.text_sha256 = reading.text_sha256 and reading.detector_version = %(detector)s
where
    comment.comment_state = 'text'
    and comment.text_sha256 >= %(after)s
    and (%(until)s::text is null or comment.text_sha256 < %(until)s)
    and reading.text_sha256 is null
