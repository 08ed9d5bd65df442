"""Each reader's room: what analyst, auditor and engineer may read.

The roles exist before the migration (they belong to the cluster, and their passwords to whoever
runs it). The default privileges cover marts that are published later.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PUBLISHED = ("patient_experience", "audit_trail")

GRANTS = """
revoke all on schema public from public;
revoke temporary on database {database} from public;

grant usage on schema patient_experience to analyst, auditor;
grant usage on schema audit_trail to auditor, engineer;
alter default privileges in schema patient_experience grant select on tables to analyst, auditor;
alter default privileges in schema audit_trail grant select on tables to auditor, engineer;

grant usage on schema landing, feedback, analysis, audit to engineer;
grant select on landing.delivery, landing.set_aside to engineer;
grant select (delivery_id, record_number, record_state, defects) on landing.record to engineer;
grant select on feedback.record to engineer;
grant select (response_id, source_slug, record_version, is_withdrawn, organisation_slug, service_slug,
    submitted_on, submitted_on_basis, received_at, delivery_id) on feedback.response to engineer;
grant select (comment_id, response_id, source_slug, question_slug, question_intent, comment_state,
    text_sha256, redaction_count, redaction_version, delivery_id, record_number, accepted_at)
    on feedback.comment to engineer;
grant select on analysis.text_language, analysis.sentiment, analysis.topic_reading, analysis.topic_mention,
    analysis.theme, analysis.theme_set, analysis.theme_assignment to engineer;
grant select on all tables in schema audit to engineer;
"""


def upgrade() -> None:
    for schema in PUBLISHED:
        op.execute(f"create schema {schema}")
    database = op.get_bind().engine.url.database
    op.execute(GRANTS.format(database=f'"{database}"'))


def downgrade() -> None:
    for schema in PUBLISHED:
        op.execute(f"drop schema {schema} cascade")
