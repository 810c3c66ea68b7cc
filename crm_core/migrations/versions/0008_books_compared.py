"""the standing check of the two books; callers who gave up"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant, Json

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("recorded_from", Instant(), nullable=False),
        sa.Column("compared_until", Instant(), nullable=False),
        sa.Column("checked_at", Instant(), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("position", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("pbx", name=op.f("pk_reconciliations")),
    )
    op.create_table(
        "differences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("unique_id", sa.String(length=150), nullable=False),
        sa.Column("queue", sa.String(length=79), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("expected", sa.String(length=128), nullable=True),
        sa.Column("actual", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("told", Json(), nullable=True),
        sa.Column("found_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('missing', 'extra', 'queue', 'agent', 'outcome', 'wait', 'talk')",
            name=op.f("ck_differences_kind"),
        ),
        sa.CheckConstraint(
            "reason IN ('not_recorded_then', 'open', 'torn_row', 'gap', 'second_cut',"
            " 'unexplained')",
            name=op.f("ck_differences_reason"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_differences")),
        sa.UniqueConstraint(
            "pbx",
            "unique_id",
            "queue",
            "entered_at",
            "kind",
            name=op.f("uq_differences_pbx_unique_id_queue_entered_at_kind"),
        ),
    )
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_differences_pbx_settled_at_found_at"),
            ["pbx", "settled_at", "found_at"],
            unique=False,
        )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(
            "ix_calls_gave_up",
            ["started_at"],
            unique=False,
            sqlite_where=sa.text("outcome = 'abandoned'"),
            postgresql_where=sa.text("outcome = 'abandoned'"),
        )
