-- Responses %(first)s to %(last)s with their answers and comments, and what the models would have read in these; the
-- same in every run. A response's month is one of three years, or one of `recent_months` where that is given: nine in
-- ten in the last one, as new feedback comes. Vectors are left out but for their presence: no mart reads them.
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, received_count, delivery_state
)
values (
    'd' || %(first)s, 'survey', 'survey.csv', 'f' || %(first)s, 1, now(), 'file:///landing', 'c1',
    %(last)s - %(first)s + 1, 'accepted'
);

create temporary table drawn on commit drop as
select
    number,
    md5('r' || number) as response_id,
    'trust_' || floor(draws[1] ^ 2 * 12) as organisation_slug,
    'service_' || floor(draws[2] ^ 2 * 8) as service_slug,
    case
        when %(recent_months)s = 0 then date '2023-01-01' + (draws[3] * 1095)::integer
        when draws[3] < 0.9 then date '2026-01-01' + (draws[3] * 30)::integer
        else date '2026-01-01' - (draws[4] * 30 * %(recent_months)s)::integer - 1
    end as submitted_on,
    1 + floor(draws[5] ^ 2 * 5) as code,
    draws[6] < 0.15 as is_inpatient,
    draws[7] < 0.3 as is_asked_of_decisions,
    draws[8] < 0.5 as is_commenting,
    -- A fifth of all comments are said again and again.
    md5('t' || case when draws[9] < 0.2 then (draws[10] * 2000)::integer else number end) as text_sha256,
    draws
from generate_series(%(first)s, %(last)s) as numbers (number)
cross join lateral (
    select array_agg(abs(hashint8extended(numbers.number, draw) %% 1000000) / 1000001.0 order by draw)
    from generate_series(1, 16) as seeds (draw)
) as drawn (draws);

insert into feedback.response (
    response_id, source_slug, source_record_ref, record_version, organisation_slug, organisation_name, service_slug,
    service_name, submitted_on, submitted_on_basis, received_at, age_band, sex, ethnic_group, deprivation_quintile,
    preferred_language, has_disability, delivery_id
)
select
    response_id, 'survey', number::text, 1, organisation_slug, organisation_slug, service_slug, service_slug,
    submitted_on, 'declared', now(),
    (array['16-24', '25-34', '35-44', '45-54', '55-64', '65-74', '75-84', null])[1 + floor(draws[11] * 8)],
    (array['female', 'female', 'male', 'male', null])[1 + floor(draws[12] * 5)],
    (array['white', 'white', 'white', 'asian', 'black', 'mixed', 'other', null])[1 + floor(draws[13] * 8)],
    nullif(floor(draws[14] * 6), 0),
    (array['en', 'en', 'en', 'pl', 'ur', null])[1 + floor(draws[15] * 6)],
    (array[true, false, false, false, null])[1 + floor(draws[16] * 5)],
    'd' || %(first)s
from drawn;

insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state, delivery_id,
    record_number
)
select response_id, 'fft', '2020', 'overall_experience', code, code::text, 'answered', 'd' || %(first)s, number
from drawn
union all
select
    response_id, 'collaborate', '0-9', item_slug, given, given::text, 'answered', 'd' || %(first)s, number
from drawn
cross join (
    values (1, 'understand_health_issues'), (2, 'listen_to_what_matters'), (3, 'include_what_matters')
) as items (place, item_slug)
cross join lateral (select 9 - floor(draws[place] ^ 3 * 10)) as answers (given)
where is_asked_of_decisions
union all
select
    response_id, 'hcahps', case when submitted_on < '2025-01-01' then '2006' else '2025' end, item_slug, given, given::text, 'answered', 'd' || %(first)s, number
from drawn
cross join (values (4, 'nurse_respect'), (5, 'nurse_listen'), (6, 'nurse_explain')) as items (place, item_slug)
cross join lateral (select 4 - floor(draws[place] ^ 2 * 4)) as answers (given)
where is_inpatient;

insert into feedback.comment (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state, text_sha256,
    comment_text, redaction_version, delivery_id, record_number
)
select
    md5('c' || number), response_id, 'survey', number::text, 'why', 'open', 'text', text_sha256,
    'What a person might say in a comment of about the usual length, ' || translate(text_sha256, '0123456789', 'ghijklmnop'), '1', 'd' || %(first)s, number
from drawn
where is_commenting;

create temporary table new_text on commit drop as
select distinct on (text_sha256) text_sha256, draws
from drawn
where
    is_commenting
    and not exists (
        select from analysis.text_language as known where known.text_sha256 = drawn.text_sha256
    )
order by text_sha256, number;

insert into analysis.text_language (text_sha256, language_code, language_basis, detector_version)
select text_sha256, 'en', 'detected', '1' from new_text;

insert into analysis.embedding (text_sha256, encoder_version, embedding)
select text_sha256, %(encoder)s, '[1,0,0]' from new_text;

insert into analysis.sentiment (
    text_sha256, question_intent, sentiment_model_version, encoder_version, sentiment_label, sentiment_score,
    sentiment_confidence
)
select
    text_sha256, 'open', %(sentiment)s, %(encoder)s,
    (array['very_negative', 'negative', 'neutral', 'positive', 'very_positive'])[1 + floor(draws[1] * 5)],
    draws[1] * 2 - 1, 0.7
from new_text;

insert into analysis.topic_reading (text_sha256, question_intent, topic_model_version, encoder_version, topic_count)
select text_sha256, 'open', %(topics)s, %(encoder)s, 1 + (draws[2] * 2)::integer from new_text;

insert into analysis.topic_mention (
    text_sha256, question_intent, topic_model_version, topic_slug, topic_confidence
)
select
    text_sha256, 'open', %(topics)s,
    (%(topic_slugs)s::text[])[1 + (floor(draws[3] ^ 2 * cardinality(%(topic_slugs)s::text[])) + place * 7)::integer %% cardinality(%(topic_slugs)s::text[])],
    0.7
from new_text
cross join lateral generate_series(0, (draws[2] * 2)::integer) as places (place);

insert into analysis.theme_assignment (text_sha256, theme_set_id, theme_slug, theme_confidence)
select text_sha256, 'set_1', case when draws[4] < 0.95 then 'theme_' || floor(draws[5] ^ 2 * 24) end, 0.6 from new_text;

insert into analysis.theme_mention (text_sha256, theme_set_id, theme_slug, theme_confidence)
select text_sha256, 'set_1', 'theme_' || (floor(draws[5] ^ 2 * 24)::integer + place * 5) %% 24, 0.6
from new_text
cross join lateral generate_series(0, (draws[6] * 0.8)::integer) as places (place)
where draws[4] < 0.95;

insert into analysis.serious_reading (text_sha256, detector_version, language_code, reading_basis, category_count)
select text_sha256, %(serious)s, 'en', 'phrases_and_nearness', (draws[7] < 0.01)::integer from new_text;

insert into analysis.serious_mention (text_sha256, detector_version, category, basis)
select text_sha256, %(serious)s, 'harm', 'nearness' from new_text where draws[7] < 0.01;
