"""supervisors and administrators may export"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Presets are written by a start only where they are missing; these are there already.
    op.execute(
        "INSERT INTO role_permissions (role_id, permission)"
        " SELECT id, 'export' FROM roles WHERE preset AND name IN ('supervisor', 'admin')"
    )
