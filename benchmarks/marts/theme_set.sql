-- The registry that the generated readings name: 24 themes of one set.
insert into analysis.theme (theme_slug, theme_label)
select 'theme_' || number, 'Theme ' || number from generate_series(0, 23) as numbers (number);

insert into analysis.theme_set (
    theme_set_id, theme_model_version, encoder_version, sample_sha256, sample_count, theme_count, assignment_threshold,
    parameters, is_current
)
values ('set_1', '1', %(encoder)s, 'x', 1, 24, 0.3, '{}', true);

insert into analysis.theme_set_member (
    theme_set_id, theme_slug, centroid, theme_keywords, exemplar_text_sha256s, sample_member_count
)
select 'set_1', theme_slug, '[1,0,0]', array['word'], array['t'], 10 from analysis.theme;
