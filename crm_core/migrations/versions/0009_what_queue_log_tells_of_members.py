"""what queue_log tells of members"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SOURCES = "source IN ('agent', 'supervisor', 'call', 'rule', 'queue_log')"


def upgrade() -> None:
    op.create_table(
        "member_changes",
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("queue", sa.String(length=79), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("change", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=True),
        sa.CheckConstraint(
            "change IN ('added', 'removed', 'paused', 'unpaused')",
            name=op.f("ck_member_changes_change"),
        ),
        sa.PrimaryKeyConstraint(
            "pbx", "name", "queue", "at", "change", name=op.f("pk_member_changes")
        ),
    )
    op.create_index(op.f("ix_member_changes_pbx_at"), "member_changes", ["pbx", "at"])
    with op.batch_alter_table("gaps") as gaps:
        gaps.add_column(
            sa.Column("feed", sa.String(length=64), server_default="ami", nullable=False)
        )
        gaps.create_check_constraint(op.f("ck_gaps_feed"), "feed IN ('ami', 'queue_log')")
    with op.batch_alter_table("agent_states") as states:
        states.drop_constraint(op.f("ck_agent_states_source"), type_="check")
        states.create_check_constraint(op.f("ck_agent_states_source"), SOURCES)
