"""transfers, seconds of legs, and the names of calls that became one"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("legs", schema=None) as batch_op:
        for name in ("ring_seconds", "talk_seconds", "hold_seconds"):
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=True))

    op.create_table(
        "call_aliases",
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["calls.call_id"],
            name=op.f("fk_call_aliases_call_id_calls"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_call_aliases")),
    )
    with op.batch_alter_table("call_aliases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_aliases_call_id"), ["call_id"], unique=False)

    op.create_table(
        "transfers",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("nth", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("agent_number", sa.String(length=64), nullable=True),
        sa.Column("member_name", sa.String(length=128), nullable=True),
        sa.Column("interface", sa.String(length=128), nullable=True),
        sa.Column("dialled", sa.String(length=128), nullable=False),
        sa.Column("to_user_id", sa.Integer(), nullable=True),
        sa.Column("to_agent_number", sa.String(length=64), nullable=True),
        sa.Column("to_member_name", sa.String(length=128), nullable=True),
        sa.Column("to_interface", sa.String(length=128), nullable=True),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "kind IN ('blind', 'attended', 'pickup')", name=op.f("ck_transfers_kind")
        ),
        sa.CheckConstraint(
            "result IN ('succeeded', 'failed', 'abandoned', 'returned')",
            name=op.f("ck_transfers_result"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["calls.call_id"],
            name=op.f("fk_transfers_call_id_calls"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_transfers_user_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["to_user_id"], ["users.id"], name=op.f("fk_transfers_to_user_id_users")
        ),
        sa.PrimaryKeyConstraint("call_id", "nth", name=op.f("pk_transfers")),
    )
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_transfers_user_id_at"), ["user_id", "at"], unique=False
        )
