"""A landed record's payload is kept as the text it was written in: jsonb takes each apart, and changes it.

The table is rewritten: plan for a copy of landing.record of disk, during which nothing is landed.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table landing.record alter column payload type json using payload::json")


def downgrade() -> None:
    op.execute("alter table landing.record alter column payload type jsonb using payload::jsonb")
