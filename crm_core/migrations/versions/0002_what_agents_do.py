"""what agents do"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reasons = op.create_table(
        "pause_reasons",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("label_zh", sa.String(length=64), nullable=False),
        sa.Column("label_en", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_pause_reasons")),
    )
    shipped = (
        ("break", "小休", "Break", True),
        ("meal", "用餐", "Meal", True),
        ("training", "培训", "Training", True),
        ("meeting", "会议", "Meeting", True),
        # Nobody chooses these: somebody else paused the phone; the disposition is missing.
        ("outside", "外部示忙", "Paused elsewhere", False),
        ("wrap_up_overdue", "整理超时", "Wrap-up overdue", False),
    )
    op.bulk_insert(
        reasons,
        [
            {"code": code, "label_zh": zh, "label_en": en, "ordinal": place, "active": active}
            for place, (code, zh, en, active) in enumerate(shipped, start=1)
        ],
    )
    op.create_table(
        "agent_states",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("interface", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("queue", sa.String(length=79), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("next_state", sa.String(length=64), nullable=True),
        sa.Column("next_reason", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "source IN ('agent', 'supervisor', 'call', 'rule')",
            name=op.f("ck_agent_states_source"),
        ),
        sa.CheckConstraint(
            "state IN ('offline', 'ready', 'ringing', 'talking', 'on_hold', 'wrap_up', 'paused',"
            " 'missed', 'unknown')",
            name=op.f("ck_agent_states_state"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_agent_states_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", "began_at", name=op.f("pk_agent_states")),
    )
    with op.batch_alter_table("agent_states", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agent_states_began_at"), ["began_at"], unique=False)
        batch_op.create_index(
            "uq_agent_states_open_user",
            ["user_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("missed_rings", sa.Integer(), server_default="1", nullable=False)
        )
