"""Tables of the call log: boots, feeds, gaps; the timeline; and the rows computed from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.call_log.timeline import Confidence
from crm_core.db import Instant, Json, ShortText, Table, stored
from crm_core.events import AttemptResult, Direction, EndedBy, Feed, LegParty, Outcome

CallIdText = String(32)
UniqueIdText = String(150)
"""Asterisk's own limit; it puts the system's name in front."""


class Boot(Table):
    """One run of an Asterisk; found by CoreStatus or QUEUESTART, never renamed."""

    __tablename__ = "boots"

    pbx: Mapped[str] = mapped_column(ShortText, primary_key=True)
    boot: Mapped[str] = mapped_column(ShortText, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    how_ended: Mapped[str | None] = mapped_column(ShortText)


class FeedRow(Table):
    """How far a feed was followed. `heard_until` is where a gap begins after a kill."""

    __tablename__ = "feeds"
    __table_args__ = (stored(Feed, "feed"),)

    pbx: Mapped[str] = mapped_column(ShortText, primary_key=True)
    feed: Mapped[str] = mapped_column(ShortText, primary_key=True)
    position: Mapped[str | None] = mapped_column(String(256))
    heard_until: Mapped[datetime | None] = mapped_column(Instant)


class Gap(Table):
    """An interval whose AMI facts did not reach the timeline."""

    __tablename__ = "gaps"
    __table_args__ = (UniqueConstraint("pbx", "began_at", "ended_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    began_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    boot_changed: Mapped[bool]
    calls_touched: Mapped[int]
    reason: Mapped[str] = mapped_column(String(256), default="")


_OPEN = text("ended_at IS NULL")


class Call(Table):
    """A call, computed from its timeline. `*_id` columns are resolved when it is recorded.

    The agent columns are those of who talked last; of who dialled, where nobody answered a call
    that a seat placed.
    """

    __tablename__ = "calls"
    __table_args__ = (
        stored(Direction, "direction"),
        stored(Confidence, "confidence"),
        stored(Outcome, "outcome"),
        Index(None, "started_at", "call_id"),
        Index(None, "customer_number", "started_at"),
        Index(None, "project_id", "customer_number", "answered_at"),
        Index(None, "customer_id", "started_at"),
        Index(None, "user_id", "started_at"),
        Index("ix_calls_open", "pbx", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )

    call_id: Mapped[str] = mapped_column(CallIdText, primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    boot: Mapped[str | None] = mapped_column(ShortText)
    direction: Mapped[str] = mapped_column(ShortText)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"))
    hotline_id: Mapped[int | None] = mapped_column(ForeignKey("hotlines.id"))
    called_number: Mapped[str | None] = mapped_column(String(64))
    caller_number: Mapped[str | None] = mapped_column(String(64))
    """Normalised; None where withheld."""
    caller_number_raw: Mapped[str | None] = mapped_column(String(128))
    caller_name: Mapped[str | None] = mapped_column(String(128))
    customer_number: Mapped[str | None] = mapped_column(String(64))
    """The customer's side, normalised: the caller of an inbound call, the called of an outbound."""
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"))
    started_at: Mapped[datetime] = mapped_column(Instant)
    at_is_receipt: Mapped[bool] = mapped_column(default=False)
    """The PBX sends no stamps: `started_at` is when we heard of it."""
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    """First connection to an agent."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(ShortText)
    """Of the last pass; null without a queue."""
    talk_seconds: Mapped[int | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    agent_number: Mapped[str | None] = mapped_column(String(64))
    member_name: Mapped[str | None] = mapped_column(String(128))
    interface: Mapped[str | None] = mapped_column(String(128))
    cause: Mapped[int | None]
    confidence: Mapped[str] = mapped_column(ShortText)


class CallEventRow(Table):
    """A fact of a call's timeline: append-only, natural key, so writing one twice changes nothing."""

    __tablename__ = "call_events"

    call_id: Mapped[str] = mapped_column(CallIdText, primary_key=True)
    kind: Mapped[str] = mapped_column(ShortText, primary_key=True)
    """The event's class."""
    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    """Who and the how-manieth, within call and kind (`natural_keys`)."""
    at: Mapped[datetime] = mapped_column(Instant)
    body: Mapped[dict[str, Any]] = mapped_column(Json)


class QueuePass(Table):
    """One stay of a call in a queue."""

    __tablename__ = "queue_passes"
    __table_args__ = (
        stored(Outcome, "outcome"),
        stored(EndedBy, "ended_by"),
        Index(None, "pbx", "entered_at"),
        Index(None, "user_id", "answered_at"),
    )

    call_id: Mapped[str] = mapped_column(
        ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True
    )
    unique_id: Mapped[str] = mapped_column(UniqueIdText, primary_key=True)
    queue: Mapped[str] = mapped_column(String(79), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queues.id"))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    left_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(ShortText)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    agent_number: Mapped[str | None] = mapped_column(String(64))
    member_name: Mapped[str | None] = mapped_column(String(128))
    interface: Mapped[str | None] = mapped_column(String(128))
    wait_seconds: Mapped[int | None]
    talk_seconds: Mapped[int | None]
    picked_up: Mapped[bool] = mapped_column(default=False)
    """Answered at a phone that the queue did not ring; `queue_log` names one that rang."""
    ended_by: Mapped[str | None] = mapped_column(ShortText)


class OfferAttempt(Table):
    """One ring at one agent."""

    __tablename__ = "offer_attempts"
    __table_args__ = (
        stored(AttemptResult, "result"),
        Index(None, "user_id", "offered_at"),
    )

    call_id: Mapped[str] = mapped_column(
        ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True
    )
    attempt: Mapped[int] = mapped_column(primary_key=True)
    unique_id: Mapped[str | None] = mapped_column(UniqueIdText)
    """With `queue` and `ordinal`: the pass it belongs to; all three null without a queue."""
    queue: Mapped[str | None] = mapped_column(String(79))
    ordinal: Mapped[int | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    agent_number: Mapped[str | None] = mapped_column(String(64))
    member_name: Mapped[str | None] = mapped_column(String(128))
    interface: Mapped[str | None] = mapped_column(String(128))
    offered_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    result: Mapped[str | None] = mapped_column(ShortText)


class Leg(Table):
    """One party's side of a call."""

    __tablename__ = "legs"
    __table_args__ = (stored(LegParty, "party"),)

    call_id: Mapped[str] = mapped_column(
        ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True
    )
    unique_id: Mapped[str] = mapped_column(UniqueIdText, primary_key=True)
    linked_id: Mapped[str] = mapped_column(UniqueIdText, index=True)
    party: Mapped[str] = mapped_column(ShortText)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    agent_number: Mapped[str | None] = mapped_column(String(64))
    member_name: Mapped[str | None] = mapped_column(String(128))
    interface: Mapped[str | None] = mapped_column(String(128))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    cause: Mapped[int | None]
