"""Parts of comments with a vector and a sentiment of their own, kinds of answers, declared taxonomies, partitions.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UPGRADE = """
alter table analysis.embedding add column segmentation_version text;
comment on column analysis.embedding.segmentation_version is
    'Rules that cut the text into its segments; a text that other rules cut is embedded again.';

create table analysis.text_segment (
    text_sha256 text not null,
    encoder_version text not null,
    segment_index integer not null check (segment_index >= 0),
    start_character integer not null,
    end_character integer not null check (end_character > start_character),
    embedding halfvec not null,
    primary key (text_sha256, encoder_version, segment_index),
    -- What is forgotten of a text is forgotten of its parts.
    foreign key (text_sha256, encoder_version) references analysis.embedding on delete cascade
);
comment on table analysis.text_segment is
    'One row per segment of a text that has two or more; its vector is read in the text, less what all of it shares.';
comment on column analysis.text_segment.start_character is 'Offset in the redacted text, from 0.';
comment on column analysis.text_segment.end_character is 'Offset of the first character after the segment.';

alter table analysis.sentiment
    add column comment_reading text not null default 'content'
        check (comment_reading in ('content', 'mixed', 'no_content', 'nothing_to_improve', 'nothing_was_good')),
    add column reading_rules_version text;
comment on column analysis.sentiment.comment_reading is 'What kind of answer the text is to a question of the intent.';
comment on column analysis.sentiment.reading_rules_version is
    'Rules for segments and kinds of answers that the reading followed; a text that others read is read again.';

create table analysis.segment_sentiment (
    text_sha256 text not null,
    question_intent text not null,
    sentiment_model_version text not null,
    segment_index integer not null,
    sentiment_label text not null
        check (sentiment_label in ('very_negative', 'negative', 'neutral', 'positive', 'very_positive')),
    sentiment_score real not null check (sentiment_score between -1 and 1),
    sentiment_confidence real not null check (sentiment_confidence between 0 and 1),
    primary key (text_sha256, question_intent, sentiment_model_version, segment_index),
    foreign key (text_sha256, question_intent, sentiment_model_version)
        references analysis.sentiment on delete cascade
);
comment on table analysis.segment_sentiment is 'Sentiment of each segment in analysis.text_segment, by intent and model.';

create table analysis.taxonomy_topic (
    topic_slug text primary key,
    taxonomy_slug text not null,
    taxonomy_label text not null,
    topic_label text not null,
    topic_description text not null,
    topic_basis text not null check (topic_basis in ('zero_shot', 'examples')),
    topic_model_version text not null,
    is_declared boolean not null default true,
    declared_at timestamptz not null default now()
);
comment on table analysis.taxonomy_topic is
    'Topics of the taxonomies that were declared beside the fixed one; is_declared is false where one no longer is.';

alter table audit.pipeline_run add column partition_number integer;
comment on column audit.pipeline_run.partition_number is
    'Which of the parts that the work was cut into, from 1; null where it was not cut.';

grant select on analysis.segment_sentiment, analysis.taxonomy_topic to engineer;
grant select (text_sha256, encoder_version, segment_index, start_character, end_character)
    on analysis.text_segment to engineer;
"""

DOWNGRADE = """
alter table audit.pipeline_run drop column partition_number;
drop table analysis.taxonomy_topic, analysis.segment_sentiment, analysis.text_segment;
alter table analysis.sentiment drop column comment_reading, drop column reading_rules_version;
alter table analysis.embedding drop column segmentation_version;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
