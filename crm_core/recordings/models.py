"""The table of recordings: one row a file, whether its call is known or not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint

from crm_core.call_log.models import CallIdText, UniqueIdText
from crm_core.db import Column, Instant, ShortText, Table, column, stored
from crm_core.recordings.records import RecordingState


class Recording(Table):
    """A file of sound. `call_id` is null where no call is known for sure: it is never guessed."""

    __tablename__ = "recordings"
    __table_args__ = (
        UniqueConstraint("pbx", "file"),
        stored(RecordingState, "state"),
        Index(None, "state", "started_at"),
    )

    recording_id: Column[str] = column(String(32), primary_key=True)
    """Random: addresses of pages name it."""
    pbx: Column[str] = column(ShortText)
    file: Column[str] = column(Text)
    """Below the PBX's folder of recordings; absolute where it lies elsewhere."""
    call_id: Column[str | None] = column(CallIdText, index=True)
    unique_id: Column[str | None] = column(UniqueIdText)
    """The channel that is, or was, recorded."""
    started_at: Column[datetime] = column(Instant)
    seconds: Column[int | None]
    channels: Column[int | None]
    bytes: Column[int | None] = column(BigInteger)
    state: Column[str] = column(ShortText)
    looked_at: Column[datetime | None] = column(Instant)
    """When its file was looked for last."""
    deleted_at: Column[datetime | None] = column(Instant)
