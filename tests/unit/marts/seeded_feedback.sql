-- A year of a small warehouse, made by arithmetic so that it is the same in every run: three organisations
-- of which the smallest services have fewer than five answers in most months, blank, Swedish, undetermined
-- and waiting comments, withdrawn and undated responses, a value set aside, a merged theme, a refused file.
insert into landing.delivery (
    delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, received_count, delivery_state, refusal_reason
) values
('d1', 'survey', 'survey.csv', 'f1', 1000, '2023-01-01', 'file:///landing/f1', 'c1', 800, 'accepted', null),
('d2', 'survey', 'broken.csv', 'f2', 10, '2023-01-02', 'file:///landing/f2', 'c1', 2, 'refused', 'a column is missing'),
('d3', 'letters', 'empty.csv', 'f3', 0, '2023-01-02', 'file:///landing/f3', 'c2', null, 'refused', 'no reader can open it');

create temporary table seeded on commit drop as
select
    number,
    'r' || lpad(number::text, 5, '0') as response_id,
    -- Squared, so that the first services are far smaller than the last.
    width_bucket((number * 7919 % 1000) ^ 2, 0, 1000000, 9) as service_number,
    date '2021-01-01' + (number * 3571 % 367) as submitted_on,
    1 + number * 104729 % 7 as code,
    number % 97 = 0 as is_withdrawn,
    number % 83 = 0 as is_undated,
    number % 101 = 0 as has_no_organisation
from generate_series(1, 800) as numbers (number);

insert into landing.record (delivery_id, record_number, payload, record_state)
select 'd1', number, '{}'::jsonb, case when is_withdrawn then 'withdrawn' else 'accepted' end from seeded
union all
select 'd2', number, '{}', 'set_aside' from generate_series(1, 2) as numbers (number);

insert into landing.set_aside (set_aside_id, delivery_id, record_number, set_aside_level, check_id, field_name, reason, run_id)
values ('s1', 'd2', null, 'delivery', 'FB-LND-001', null, 'a column is missing', 'run');
insert into landing.set_aside (set_aside_id, delivery_id, record_number, set_aside_level, check_id, field_name, reason, run_id)
select 'v' || number, 'd1', number, 'value', 'FB-LND-002', 'value_code', 'the code is not documented', 'run'
from seeded
where code = 7;

insert into feedback.response (
    response_id, source_slug, source_record_ref, record_version, is_withdrawn, organisation_slug,
    organisation_name, service_slug, service_name, submitted_on, submitted_on_basis, has_disability, received_at,
    delivery_id
)
select
    response_id,
    'survey',
    'ref ' || number,
    1,
    is_withdrawn,
    case when not has_no_organisation then 'trust_' || (service_number % 3) end,
    case when not has_no_organisation then 'Trust ' || (service_number % 3) end,
    'service_' || service_number,
    'Service ' || service_number,
    case when not is_undated then submitted_on end,
    case when is_undated then 'unreadable' else 'declared' end,
    -- Known of nine in ten; of those with a disability most are discontent.
    case when number % 10 > 0 then (code > 2) <> (number % 6 = 0) end,
    '2023-01-01',
    'd1'
from seeded;

insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state,
    is_value_set_aside, delivery_id, record_number
)
select
    response_id, 'fft', '2020', 'overall_experience',
    case when code < 6 then code end,
    case when code < 7 then code::text end,
    case when code < 7 then 'answered' else 'missing' end,
    code = 7, 'd1', number
from seeded;

-- CollaboRATE: every fourth encounter at the top, every thirteenth with an item missing, every seventeenth with one outside.
insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state, delivery_id,
    record_number
)
select response_id, 'collaborate', '0-9', item_slug, given, given::text, 'answered', 'd1', number
from (
    select
        seeded.*,
        items.item_slug,
        case
            when place = 3 and number % 17 = 0 then 10
            when place = 3 and number % 4 > 0 then number % 9
            else 9
        end as given
    from seeded
    cross join (
        values (1, 'understand_health_issues'), (2, 'listen_to_what_matters'), (3, 'include_what_matters')
    ) as items (place, item_slug)
    where number % 13 > 0 or place < 3
) as answered;

-- Complaints with one to three subjects, some withdrawn; every second one has another record that names the first again.
insert into feedback.response_subject (
    response_id, source_slug, source_record_ref, subject_slug, subject_label, delivery_id, record_number
)
select
    response_id, 'survey', 'ref ' || number || record, 'subject_' || place, 'Subject ' || place || record, 'd1', number
from seeded
cross join generate_series(1, 3) as places (place)
cross join (values ('a'), ('b')) as records (record)
where
    number % 10 < 3
    and place <= 1 + number % 3
    and (record = 'a' or (place = 1 and number % 2 = 0));

-- Published figures of a trust that gave feedback too, of one that did not, and their country's total.
insert into feedback.published_figure (
    figure_id, source_slug, source_record_ref, measure_slug, organisation_slug, organisation_name, is_total,
    period_first_on, period_last_on, value_number, unit, figure_state, is_value_set_aside, respondent_count,
    delivery_id, record_number
)
select
    md5(organisation_slug || measure_slug), 'monthly', organisation_slug, measure_slug, organisation_slug,
    'Published ' || organisation_slug, organisation_slug = 'england', date '2021-03-01', date '2021-03-31',
    case when figure_state = 'published' then value_number end, unit, figure_state, false, respondent_count, 'd1', number
from (values
    (1, 'england', 'fft_response_count', 30, 'count', 'published', null),
    (1, 'england', 'fft_positive_percent', 90, 'percent', 'published', 30),
    (2, 'trust_1', 'fft_response_count', 27, 'count', 'published', null),
    (2, 'trust_1', 'fft_positive_percent', 89, 'percent', 'published', 27),
    (3, 'trust_9', 'fft_response_count', 3, 'count', 'published', null),
    (3, 'trust_9', 'fft_positive_percent', null, 'percent', 'suppressed', 3),
    (3, 'trust_9', 'fft_eligible_count', null, 'count', 'not_available', null)
) as published (number, organisation_slug, measure_slug, value_number, unit, figure_state, respondent_count);

-- The answers of one month of trust_1, and two American hospitals: one with its figures, one without and with footnotes.
insert into feedback.published_figure (
    figure_id, source_slug, source_record_ref, measure_slug, organisation_slug, organisation_name, is_total,
    period_first_on, period_last_on, value_number, unit, figure_state, is_value_set_aside, respondent_count,
    respondent_band, source_metadata, delivery_id, record_number
)
select
    md5(organisation_slug || measure_slug), source_slug,
    case source_slug when 'monthly' then organisation_slug else organisation_slug || '|' || measure_slug end,
    measure_slug, organisation_slug, 'Published ' || organisation_slug, false, period_first_on::date,
    period_last_on::date, value_number, unit, figure_state, false, respondent_count, respondent_band,
    source_metadata::jsonb, 'd1', 10 + row_number() over ()
from (values
    ('monthly', 'trust_1', '2021-03-01', '2021-03-31', 'fft_very_good_count', 20, 'count', 'published', null, null, '{}'),
    ('monthly', 'trust_1', '2021-03-01', '2021-03-31', 'fft_good_count', 4, 'count', 'published', null, null, '{}'),
    ('monthly', 'trust_1', '2021-03-01', '2021-03-31', 'fft_negative_percent', 4, 'percent', 'published', 27, null, '{}'),
    ('monthly', 'trust_1', '2021-03-01', '2021-03-31', 'fft_poor_count', 1, 'count', 'published', null, null, '{}'),
    ('monthly', 'trust_1', '2021-03-01', '2021-03-31', 'fft_very_poor_count', null, 'count', 'suppressed', null, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_comp_1_a_p', 74, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_comp_1_u_p', 18, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_comp_1_sn_p', 8, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_respect_a_p', 79, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_respect_u_p', 15, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_respect_sn_p', 6, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_listen_a_p', 70, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_listen_u_p', 21, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_listen_sn_p', 9, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_explain_a_p', 71, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_nurse_explain_u_p', 20, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_comp_1_linear_score', 91, 'score', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_star_rating', 3, 'stars', 'published', 536, null,
        '{"star_rating_footnote": "15"}'),
    ('hcahps', 'n_010001', '2024-07-01', '2025-06-30', 'h_comp_2_a_p', 80, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010001', '2022-01-01', '2022-12-31', 'h_new_question', 12, 'percent', 'published', 536, null, '{}'),
    ('hcahps', 'n_010005', '2022-01-01', '2022-12-31', 'h_comp_1_a_p', null, 'percent', 'not_available', null, 'FEWER THAN 50',
        '{"footnote": "1, 11", "completed_surveys_footnote": "11", "response_rate_footnote": "7"}'),
    ('hcahps', 'n_010005', '2022-01-01', '2022-12-31', 'h_comp_1_star_rating', null, 'stars', 'not_applicable', null, null,
        '{"star_rating_footnote": "too few surveys"}')
) as published (
    source_slug, organisation_slug, period_first_on, period_last_on, measure_slug, value_number, unit, figure_state,
    respondent_count, respondent_band, source_metadata
);

insert into feedback.comment (
    comment_id, response_id, source_slug, source_record_ref, question_slug, question_intent, comment_state,
    text_sha256, comment_text, redaction_version, declared_language_code, delivery_id, record_number
)
select
    'c' || substr(response_id, 2) || question,
    response_id, 'survey', 'ref ' || number || question,
    case question when 'a' then 'good' else 'improve' end,
    case question when 'a' then 'what_was_good' else 'what_to_improve' end,
    case when (number + ascii(question)) % 5 = 0 then 'blank' else 'text' end,
    't' || number % 400,
    case when (number + ascii(question)) % 5 = 0 then '' else 'Waiting for [PERSON] in room ' || number % 400 end,
    '1', 'en', 'd1', number
from seeded
cross join (values ('a'), ('b')) as questions (question);

-- Some are answers to an open question: two that are at odds with their rating in each of 35 responses, and others.
update feedback.comment set question_intent = 'open'
where question_slug = 'improve' and mod(record_number, 35) in (10, 16, 28);

-- Item 9 of the PHQ-9: above 0, 0, missing, and of a withdrawn response.
insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state, delivery_id,
    record_number
) values
('r00011', 'phq_9', '1', 'item_9', 1, '1', 'answered', 'd1', 11),
('r00012', 'phq_9', '1', 'item_9', 0, '0', 'answered', 'd1', 12),
('r00013', 'phq_9', '1', 'item_9', null, null, 'missing', 'd1', 13),
('r00014', 'phq_9', '1', 'item_8', 3, '3', 'answered', 'd1', 14),
('r00097', 'phq_9', '1', 'item_9', 3, '3', 'answered', 'd1', 97);

-- Everybody of these gave two responses, 99 or 268 days apart, each with a PHQ-9 of 8 or 16 and a GAD-7 of 14 or 7.
update feedback.response
set respondent_id = 'p' || number / 2
from seeded
where response.response_id = seeded.response_id and number between 200 and 499;
insert into feedback.answer (
    response_id, instrument_slug, instrument_version, item_slug, value_number, value_code, answer_state, delivery_id,
    record_number
)
select
    response_id, instrument_slug, '1', 'item_' || place, answers.value_number, answers.value_number::text, 'answered', 'd1', number
from seeded
cross join (values ('phq_9', 9), ('gad_7', 7)) as instruments (instrument_slug, item_count)
cross join lateral generate_series(1, item_count) as places (place)
cross join lateral (
    select case when place = 9 then 0 when instrument_slug = 'phq_9' then 1 + (number * 7 % 5) / 3 else 1 + number % 2 end
) as answers (value_number)
where number between 200 and 499;

-- What is serious, by the detector in force (2) and the one before: t21 and t97 (of a withdrawn response too) are read so by
-- both, t22 by the new one alone, t23 and t24 by the old one alone; a person took t21 and t23 on.
insert into analysis.serious_reading (text_sha256, detector_version, language_code, reading_basis, category_count)
select 't' || number, 'serious-' || version, 'en', 'phrases_and_nearness', 0
from generate_series(0, 389) as numbers (number)
cross join generate_series(1, 2) as versions (version);
insert into analysis.serious_mention (text_sha256, detector_version, category, basis) values
('t21', 'serious-1', 'harm', 'wrong_medicine'),
('t21', 'serious-2', 'harm', 'wrong_medicine,nearness'),
('t21', 'serious-2', 'discrimination', 'nearness'),
('t22', 'serious-2', 'self_harm', 'suicide'),
('t23', 'serious-1', 'safeguarding', 'nearness'),
('t24', 'serious-1', 'safeguarding', 'nearness'),
('t97', 'serious-1', 'harm', 'death'),
('t97', 'serious-2', 'harm', 'death');
alter table analysis.serious_decision disable trigger user;
insert into analysis.serious_decision (entry_id, decision, decided_by, decision_reason)
select entry_id, 'acknowledge', 'Ada Analyst', null
from analysis.serious_entry
where comment_id in ('c00021a', 'c00023b') and detector_version = 'serious-1';
insert into analysis.serious_decision (entry_id, decision, decided_by, decision_reason)
select entry_id, 'close', 'Bo Matron', 'ward told, dose corrected'
from analysis.serious_entry
where comment_id = 'c00021a' and detector_version = 'serious-1';
alter table analysis.serious_decision enable trigger user;

-- Of 400 texts: 390-394 Swedish, 395-397 of no known language, 398 and 399 not read yet.
insert into analysis.text_language (text_sha256, language_code, language_confidence, language_basis, detector_version)
select
    't' || number,
    case when number < 390 then 'en' when number < 395 then 'sv' end,
    0.9,
    case when number < 395 then 'detected' else 'undetermined' end,
    '1'
from generate_series(0, 397) as numbers (number);

insert into analysis.embedding (text_sha256, encoder_version, embedding)
select 't' || number, version, '[1,0,0]'
from generate_series(0, 389) as numbers (number)
cross join (values ('encoder-1'), ('encoder-2')) as versions (version);

insert into analysis.sentiment (
    text_sha256, question_intent, sentiment_model_version, encoder_version, sentiment_label, sentiment_score,
    sentiment_confidence
)
select
    't' || number,
    intent,
    'sentiment-' || version,
    'encoder-' || version,
    (array['very_negative', 'negative', 'neutral', 'positive', 'very_positive'])[1 + (number + version) % 5],
    -1 + ((number + version) % 5) * 0.5,
    0.8
from generate_series(0, 389) as numbers (number)
cross join (values ('what_was_good'), ('what_to_improve'), ('open')) as intents (intent)
cross join generate_series(1, 2) as versions (version);

insert into analysis.theme (theme_slug, theme_label, theme_status, merged_into_slug) values
('waiting', 'Waiting', 'approved', null),
('kindness', 'Kindness', 'proposed', null),
('parking', 'Parking', 'retired', null),
('delays', 'Delays', 'merged', 'waiting');

insert into analysis.theme (theme_slug, theme_label, theme_status, merged_into_slug, theme_level, parent_theme_slug) values
('on_hold', 'On hold', 'proposed', null, 'subtheme', 'waiting'),
('in_the_queue', 'In the queue', 'proposed', null, 'subtheme', 'waiting'),
('queueing', 'Queueing', 'merged', 'in_the_queue', 'subtheme', 'waiting');
insert into analysis.theme (theme_slug, theme_label, theme_status) values ('chatter', 'Chatter', 'retired');

insert into analysis.theme_set (
    theme_set_id, theme_model_version, encoder_version, sample_sha256, sample_count, theme_count,
    assignment_threshold, parameters, is_current
) values
('set1', '1', 'encoder-1', 'x1', 100, 3, 0.3, '{}', false),
('set2', '1', 'encoder-2', 'x2', 100, 3, 0.3, '{}', true);

insert into analysis.theme_set_member (
    theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count
)
select 'set1', 'parking', '[1,0,0]'::halfvec, array['car park', 'ticket'], array['t1'], 10
union all
select 'set2', theme_slug, '[1,0,0]'::halfvec, array[theme_slug, 'time'], array['t1'], 10
from analysis.theme
where theme_slug <> 'parking' and theme_level = 'theme';
insert into analysis.theme_set_member (
    theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count, theme_level,
    parent_theme_slug, theme_position
)
select 'set2', theme_slug, '[1,0,0]'::halfvec, array[theme_slug], array['t1'], 5, 'subtheme', 'waiting', 0
from analysis.theme
where theme_level = 'subtheme';

insert into analysis.theme_lineage (
    theme_set_id, theme_level, previous_theme_slug, theme_slug, relation, shared_member_share
) values
('set1', 'theme', null, 'parking', 'new', null),
('set2', 'theme', 'parking', null, 'retired', null),
('set2', 'theme', null, 'kindness', 'new', null),
('set2', 'theme', null, 'delays', 'new', null),
('set2', 'theme', null, 'chatter', 'new', null),
('set2', 'theme', 'parking', 'waiting', 'split', 0.4),
('set2', 'subtheme', null, 'on_hold', 'new', null),
('set2', 'subtheme', null, 'in_the_queue', 'new', null),
('set2', 'subtheme', null, 'queueing', 'new', null);
update analysis.theme_set set previous_theme_set_id = 'set1' where theme_set_id = 'set2';

insert into analysis.theme_drift (
    run_id, theme_set_id, assigned_count, new_text_count, population_growth_share, is_refit_proposed, reasons
) values ('run', 'set2', 390, 90, 0.3, true, '{population_grew}');

-- As people's decisions would leave it; their triggers would settle the statuses given above anew.
alter table analysis.theme_decision disable trigger user;
insert into analysis.theme_decision (
    theme_slug, decision, theme_label, merged_into_slug, decided_by, decision_reason
) values
('waiting', 'approve', 'Waiting', null, 'Ada Analyst', 'read forty comments'),
('kindness', 'rename', 'Kind staff', null, 'Ada Analyst', 'clearer'),
('kindness', 'undo', null, null, 'Ada Analyst', 'not clearer'),
('delays', 'merge', null, 'waiting', 'Ada Analyst', 'the same');
alter table analysis.theme_decision enable trigger user;

insert into analysis.theme_assignment (text_sha256, theme_set_id, theme_slug, theme_confidence, subtheme_slug)
select
    't' || number,
    'set2',
    -- A few speak of what people retired.
    case when number % 40 = 1 then 'chatter' else (array['waiting', 'kindness', 'delays', null])[1 + number % 4] end,
    0.6,
    case when number % 4 = 0 then (array['on_hold', 'in_the_queue', 'queueing', null])[1 + number / 4 % 4] end
from generate_series(0, 389) as numbers (number);

-- Every third text has two parts: the first speaks of its own theme, the second of another.
insert into analysis.text_segment (
    text_sha256, encoder_version, segment_index, start_character, end_character, embedding
)
select 't' || number, 'encoder-2', place, place * 5, place * 5 + 5, '[1,0,0]'
from generate_series(0, 389, 3) as numbers (number)
cross join generate_series(0, 1) as places (place);

insert into analysis.segment_sentiment (
    text_sha256, question_intent, sentiment_model_version, segment_index, sentiment_label, sentiment_score,
    sentiment_confidence
)
select
    text_sha256, intent, 'sentiment-2', segment_index,
    case segment_index when 0 then 'very_positive' else 'negative' end,
    case segment_index when 0 then 1 else -0.5 end,
    0.7
from analysis.text_segment
cross join (values ('what_was_good'), ('what_to_improve'), ('open')) as intents (intent);

insert into analysis.theme_mention (text_sha256, theme_set_id, theme_slug, theme_confidence, segment_indexes)
select
    assignment.text_sha256, theme_set_id, theme_slug, theme_confidence,
    case when segment.text_sha256 is null then '{}' else array[0] end
from analysis.theme_assignment as assignment
left join analysis.text_segment as segment
    on assignment.text_sha256 = segment.text_sha256 and segment.segment_index = 1
where theme_slug is not null
union all
select
    assignment.text_sha256, theme_set_id, case theme_slug when 'kindness' then 'waiting' else 'kindness' end, 0.5,
    array[1]
from analysis.theme_assignment as assignment
inner join analysis.text_segment as segment
    on assignment.text_sha256 = segment.text_sha256 and segment.segment_index = 1
where theme_slug is not null;
