"""grades are looked up, numbers are invalid, dispositions have headings"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_customers_grade_name_id"), ["grade", "name", "id"], unique=False
        )

    with op.batch_alter_table("dispositions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parent_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_dispositions_parent_id_dispositions"),
            "dispositions",
            ["parent_id"],
            ["id"],
        )

    with op.batch_alter_table("phone_numbers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invalid_at", Instant(), nullable=True))
