"""The version that a source itself counts, kept apart from the one assigned; no delivered header for engineers.

A file without a line of column names has its first record there, so `column_names` may hold a patient's words.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
alter table landing.candidate_record add column declared_version integer;
comment on column landing.candidate_record.declared_version is
    'The version that the source states; record_version is then the one assigned.';

revoke select on landing.delivery from engineer;
grant select (delivery_id, source_slug, file_name, file_sha256, file_size_bytes, file_modified_at, landing_url,
    declaration_sha256, encoding, is_declared_encoding, missing_columns, received_count, delivery_state,
    refusal_reason, landed_at, decided_at, last_seen_at)
    on landing.delivery to engineer;
"""

DOWNGRADE = """
alter table landing.candidate_record drop column declared_version;
grant select on landing.delivery to engineer;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
