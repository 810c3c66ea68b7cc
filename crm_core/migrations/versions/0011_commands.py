"""commands that are carried out at most once"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("wish", sa.String(length=128), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("interface", sa.String(length=128), nullable=False),
        sa.Column("target_kind", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=79), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.Column("refused", sa.String(length=500), nullable=True),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'refused', 'unknown')", name=op.f("ck_commands_outcome")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_commands_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
        sa.UniqueConstraint("actor", "wish", name=op.f("uq_commands_actor_wish")),
        sa.UniqueConstraint("attempt", name=op.f("uq_commands_attempt")),
    )
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_commands_asked_at"), ["asked_at"], unique=False)
    # Presets are written by a start only where they are missing; these are there already.
    op.execute(
        "INSERT INTO role_permissions (role_id, permission)"
        " SELECT id, 'place_calls' FROM roles WHERE preset"
    )
