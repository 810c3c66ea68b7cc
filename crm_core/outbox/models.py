"""The table of commands that must be carried out at most once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint

from crm_core.db import Column, Instant, ShortText, Table, column, stored


class CommandOutcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Sent, perhaps; looked up, and nobody had heard of it. It is not sent again."""


class CommandRow(Table):
    """One wish of one person or program: a call to be placed. Committed before Asterisk is asked.

    `attempt` is the Uniqueid that the channel gets, so that it can be found again whatever breaks.
    """

    __tablename__ = "commands"
    __table_args__ = (
        UniqueConstraint("actor", "wish"),
        UniqueConstraint("attempt"),
        Index(None, "asked_at"),
        stored(CommandOutcome, "outcome"),
    )

    id: Column[int] = column(primary_key=True)
    actor: Column[str] = column(ShortText)
    """Sign-in name, or the token's name."""
    wish: Column[str] = column(String(128))
    """The `Idempotency-Key`, or one of ours where none was given."""
    pbx: Column[str] = column(ShortText)
    attempt: Column[str] = column(ShortText)
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    """Whose phone rings."""
    interface: Column[str] = column(String(128))
    target_kind: Column[str] = column(ShortText)
    target: Column[str] = column(String(79))
    """What is dialled."""
    reason: Column[str] = column(String(200), default="")
    asked_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime | None] = column(Instant)
    outcome: Column[str | None] = column(ShortText)
    """None: being done, or left so by a crash."""
    refused: Column[str | None] = column(String(500))
    call_id: Column[str | None] = column(String(32))
