"""What the standing check remembers: how far the two books were compared, and what differs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint

from crm_core.call_log.models import UniqueIdText
from crm_core.call_log.reconcile import Kind, Reason
from crm_core.db import Column, Instant, Json, ShortText, Table, column, stored


class Reconciliation(Table):
    """How far `queue_log` of a PBX was compared with the call table."""

    __tablename__ = "reconciliations"

    pbx: Column[str] = column(ShortText, primary_key=True)
    recorded_from: Column[datetime] = column(Instant)
    """Nothing was recorded before: then `queue_log` holds what the call table cannot."""
    compared_until: Column[datetime] = column(Instant)
    checked_at: Column[datetime] = column(Instant)
    """When that was."""
    compared: Column[int]
    """Passes so far."""
    position: Column[str | None] = column(String(256))


class DifferenceRow(Table):
    """A difference that the standing check has found, settled or not."""

    __tablename__ = "differences"
    __table_args__ = (
        stored(Kind, "kind"),
        stored(Reason, "reason"),
        UniqueConstraint("pbx", "unique_id", "queue", "entered_at", "kind"),
        Index(None, "pbx", "settled_at", "found_at"),
    )

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    unique_id: Column[str] = column(UniqueIdText)
    queue: Column[str] = column(String(79))
    entered_at: Column[datetime] = column(Instant)
    kind: Column[str] = column(ShortText)
    expected: Column[str | None] = column(String(128))
    """In `queue_log`."""
    actual: Column[str | None] = column(String(128))
    """In the call table."""
    reason: Column[str] = column(ShortText)
    told: Column[dict[str, Any] | None] = column(Json)
    """The pass as `queue_log` told it; null where it did not."""
    found_at: Column[datetime] = column(Instant)
    settled_at: Column[datetime | None] = column(Instant)
    """When the books agreed about it; null: they do not."""
