"""Engineers see where a hidden number could be worked out, not of which theme: of an absence that is the number, 0.

Revision ID: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UPGRADE = """
revoke select on audit.recovered_cell from engineer;
grant select (recovered_cell_id, attack_id, reports, family_slug, recovery, edition, period_kind, period_first_on,
    organisation_slug, service_slug, stratum_attribute, stratum) on audit.recovered_cell to engineer;
comment on column audit.recovered_cell.quantity is
    'responses, denominator, rest, others, or the measure whose numerator or sum of scores it is. Restricted.';
"""

DOWNGRADE = """
revoke select (recovered_cell_id, attack_id, reports, family_slug, recovery, edition, period_kind, period_first_on,
    organisation_slug, service_slug, stratum_attribute, stratum) on audit.recovered_cell from engineer;
grant select on audit.recovered_cell to engineer;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
