"""Times of files: one that lies after its landing is of a clock that was ahead, and made what came later look older.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UPGRADE = r"""
-- Of sources that are asked, a piece has the time at which it was written here.
update landing.delivery set file_modified_at = landed_at
where file_modified_at > landed_at and file_name !~ ('^' || source_slug || '_\d{8}T\d{12}Z_\d{4,}\.jsonl$');
comment on column landing.delivery.file_modified_at is
    'When the file was written, as its place says, but not after its landing, and after the content that it replaced.';
"""

DOWNGRADE = """
comment on column landing.delivery.file_modified_at is
    'When the file was written, as its place says; where that is no later than the content it replaced, just after it.';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
