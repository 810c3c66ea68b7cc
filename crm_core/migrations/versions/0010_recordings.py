"""recordings, and which calls are recorded"""

import sqlalchemy as sa
from alembic import op
from crm_core.db import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

RULES = "IN ('never', 'always', 'announced')"


def upgrade() -> None:
    op.create_table(
        "recordings",
        sa.Column("recording_id", sa.String(length=32), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("unique_id", sa.String(length=150), nullable=True),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("looked_at", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('recording', 'complete', 'missing', 'deleted')",
            name=op.f("ck_recordings_state"),
        ),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("pbx", "file", name=op.f("uq_recordings_pbx_file")),
    )
    op.create_index(op.f("ix_recordings_call_id"), "recordings", ["call_id"])
    op.create_index(op.f("ix_recordings_state_started_at"), "recordings", ["state", "started_at"])
    op.create_table(
        "direction_recordings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("recording", sa.String(length=64), nullable=False),
        sa.Column("announcement", sa.String(length=128), nullable=False),
        sa.CheckConstraint(
            "direction IN ('inbound', 'outbound', 'internal')",
            name=op.f("ck_direction_recordings_direction"),
        ),
        sa.CheckConstraint(f"recording {RULES}", name=op.f("ck_direction_recordings_recording")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_direction_recordings")),
        sa.UniqueConstraint("pbx", "direction", name=op.f("uq_direction_recordings_pbx_direction")),
    )
    # Not by a batch: on SQLite it would build the table anew, without the CHECK of `strategy`.
    op.execute(
        "ALTER TABLE queues ADD COLUMN recording VARCHAR(64) DEFAULT 'never' NOT NULL"
        f" CONSTRAINT ck_queues_recording CHECK (recording {RULES})"
    )
    op.add_column(
        "queues",
        sa.Column("announcement", sa.String(length=128), server_default="", nullable=False),
    )
    op.add_column(
        "projects",
        sa.Column("keep_recordings_days", sa.Integer(), server_default="0", nullable=False),
    )
    # Presets are written by a start only where they are missing; these are there already.
    for permission, roles in (
        ("listen_recordings", "'supervisor', 'admin'"),
        ("listen_live", "'supervisor', 'admin'"),
        ("download_recordings", "'admin'"),
    ):
        op.execute(
            "INSERT INTO role_permissions (role_id, permission)"
            f" SELECT id, '{permission}' FROM roles WHERE preset AND name IN ({roles})"
            " AND NOT EXISTS (SELECT 1 FROM role_permissions"
            f" WHERE role_id = roles.id AND permission = '{permission}')"
        )
