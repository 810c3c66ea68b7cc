"""what hotlines say at the door"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hotlines", sa.Column("priorities", Json(), nullable=True))
    op.add_column(
        "hotlines", sa.Column("last_agent_days", sa.Integer(), server_default="0", nullable=False)
    )
